//! Wrong uses do not compile, and say why in our words.

#[test]
fn wrong_uses_do_not_compile() {
    let cases = trybuild::TestCases::new();
    // One that passes has all of them built, not only checked.
    cases.pass("tests/accepted/*.rs");
    cases.compile_fail("tests/refused/*.rs");
}
