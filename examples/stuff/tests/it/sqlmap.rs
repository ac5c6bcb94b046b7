//! `sqlmap` looks for a way into the database through every parameter, and finds none. A long test: `cargo xtask prove`.

use std::process::Command;

use crate::start;

/// Address, form (empty: none), method. `*` marks a place in a path.
///
/// Registering is soon refused for its number (429): a login that is no login before that, and a password is hashed before
/// anything is asked of the database.
const DOORS: &[(&str, &str, &str)] = &[
    ("/stuff?filter=C", "", "GET"),
    ("/stuff/1*", "", "GET"),
    ("/stuff", "stuff=Clock", "POST"),
    ("/stuff/1*", "stuff=Bed", "PUT"),
    ("/register", "login=moe&pword=secret", "POST"),
    ("/owned/1*", "", "GET"),
    ("/object/1*", "", "GET"),
    ("/owners/1*", "", "GET"),
    ("/things?filter=C", "", "GET"),
    ("/things/1*", "", "GET"),
    ("/cmp/add?i=1&j=2", "", "GET"),
    ("/cmp/hash?apass=x", "", "GET"),
];

#[test]
fn sqlmap_finds_no_way_in() {
    if std::env::var_os("GUICHET_PROVE").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path(), &[]);
    for (path, form, method) in DOORS {
        let mut sqlmap = Command::new("sqlmap");
        sqlmap.args(["--batch", "--flush-session", "--disable-coloring", "--level", "2", "--risk", "2"]);
        sqlmap.args(["--auth-type", "basic", "--auth-cred", "calvin:hobbes", "--ignore-code", "400,404,409,429"]);
        sqlmap.args(["--method", method, "-u", &format!("{}{path}", program.url()), "--output-dir"]).arg(folder.path());
        if !form.is_empty() {
            sqlmap.args(["--data", form]);
        }
        let out = sqlmap.output().unwrap_or_else(|error| panic!("sqlmap (Debian package sqlmap) did not run: {error}"));
        let told = String::from_utf8_lossy(&out.stdout);
        assert!(told.contains("do not appear to be injectable"), "{method} {path}: {told}");
        assert!(!told.contains("is vulnerable") && !told.contains("identified the following injection"), "{told}");
    }
    assert_eq!(program.send("GET", "/version", &[], "").status(), 200, "it lives on");
}
