//! A network of one's own for a test: a loopback that nobody else uses, which goes with the test. So do its mounts.

use std::process::Command;

const INSIDE: &str = "GUICHET_TEST_INSIDE";
/// For root, and for everybody else where the system lets them have a network of their own.
const WAYS: &[&[&str]] = &[&["--net"], &["--net", "--map-current-user", "--keep-caps"]];

/// Whether the test runs inside already; if not, it is run there, and what it says is passed on.
pub(crate) fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let way = WAYS.iter().find(|way| unshare(way).arg("true").output().is_ok_and(|output| output.status.success()));
    let way = way.unwrap_or_else(|| {
        panic!(
            "this test needs a network namespace of its own, and `unshare --net` is refused here: run it as root, allow \
             user namespaces, or give the container CAP_SYS_ADMIN"
        )
    });
    let output = unshare(way)
        .args(["sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "in a network of its own:\n{out}\n{error}");
    false
}

/// What it starts ends with it.
fn unshare(way: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(way).args(["--mount", "--pid", "--fork", "--kill-child"]);
    command
}
