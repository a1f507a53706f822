//! Writes where each fuzz target begins into `fuzz/corpus`: the seeds in files, and those that are made.

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    for target in tidemill_fuzz::TARGETS {
        let (corpus, files) = (fuzz.join("corpus").join(target.name), fuzz.join("seeds").join(target.name));
        fs::create_dir_all(&corpus)?;
        for (name, seed) in (target.seeds)() {
            fs::write(corpus.join(name), seed)?;
        }
        if files.is_dir() {
            for file in fs::read_dir(files)? {
                let file = file?;
                fs::copy(file.path(), corpus.join(file.file_name()))?;
            }
        }
        println!("{}: {} files", target.name, fs::read_dir(corpus)?.count());
    }
    Ok(())
}
