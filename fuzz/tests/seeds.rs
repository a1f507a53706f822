//! Every seed of every target, those in files too, with what it allocates counted.

use std::fs;
use std::path::Path;

use tidemill_fuzz::TARGETS;

#[path = "../src/counting.rs"]
mod counting;

#[test]
fn what_a_target_holds_to_be_true_is_true_of_its_seeds() {
    for target in TARGETS {
        for (_, seed) in (target.seeds)() {
            (target.run)(&seed, counting::peak);
        }
    }
}

#[test]
fn and_of_what_fuzzers_have_found() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for folder in fs::read_dir(seeds).unwrap() {
        let folder = folder.unwrap();
        // The testkit replays these.
        if folder.file_name() == "requests" {
            continue;
        }
        let target = TARGETS.iter().find(|target| folder.file_name() == target.name);
        let target = target.unwrap_or_else(|| panic!("seeds of no target: {folder:?}"));
        for file in fs::read_dir(folder.path()).unwrap() {
            (target.run)(&fs::read(file.unwrap().path()).unwrap(), counting::peak);
        }
    }
}
