//! The default build compiles no C.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;

/// What builds C, or binds to it.
fn c_in(features: &[&str]) -> Vec<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--package", "tidemill-protocol", "--edges", "normal,build", "--prefix", "none", "--offline"]);
    let output = tree.args(features).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let tree = String::from_utf8(output.stdout).unwrap();
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names
        .filter(|name| ["cc", "cmake", "bindgen"].contains(name) || name.ends_with("-sys"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_default_build_has_no_c() {
    assert_eq!(c_in(&[]), [""; 0]);
    assert!(c_in(&["--features", "zstd"]).contains(&"zstd-sys".to_owned()), "where there is C, it is seen");
}
