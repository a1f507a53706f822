//! ARCHITECTURE.md against the tree: the walks name functions that exist and stay short, machines stay pure, files stay
//! small.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const WALK_FILES_MAX: usize = 10;
const WALK_LINES_MAX: usize = 3_500;
const FILE_LINES_MAX: usize = 700;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").to_path_buf()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One step of a walk: a file, and the functions that the walk goes through in it.
struct Step {
    file: String,
    functions: Vec<String>,
}

/// The walks of ARCHITECTURE.md: `### name`, then steps as "1. `file` `function`, `function`: text".
fn walks() -> Vec<(String, Vec<Step>)> {
    let text = read(&root().join("ARCHITECTURE.md"));
    let section = text.split("\n## ").find(|section| section.starts_with("Walks")).expect("a section `## Walks`");
    let mut walks = Vec::new();
    for line in section.lines() {
        if let Some(name) = line.strip_prefix("### ") {
            walks.push((name.to_owned(), Vec::new()));
            continue;
        }
        let Some((number, rest)) = line.split_once(". ") else { continue };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let head = rest.split(": ").next().unwrap_or(rest);
        let mut names = head.split('`').skip(1).step_by(2).map(str::to_owned);
        let file = names.next().unwrap_or_else(|| panic!("the step names no file: {line}"));
        let functions: Vec<String> = names.collect();
        assert!(!functions.is_empty(), "the step names no function: {line}");
        walks.last_mut().expect("a step stands under a walk").1.push(Step { file, functions });
    }
    walks
}

/// The lines of a file without its unit tests, which stand at its foot.
fn code_lines(text: &str) -> usize {
    text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or(text).lines().count()
}

#[test]
fn there_are_three_walks_and_their_steps_exist() {
    let walks = walks();
    let names: Vec<&str> = walks.iter().map(|(name, _)| name.split(' ').next().unwrap_or(name)).collect();
    assert_eq!(names, ["send", "recv", "SQL"]);
    for (name, steps) in &walks {
        for Step { file, functions } in steps {
            let text = read(&root().join(file));
            for function in functions {
                let defined = format!("fn {function}");
                let found =
                    text.match_indices(&defined).any(|(at, _)| text[at + defined.len()..].starts_with(['(', '<']));
                assert!(found, "walk `{name}`: `{file}` has no function `{function}`");
            }
        }
    }
}

#[test]
fn a_walk_is_read_in_one_sitting() {
    for (name, steps) in walks() {
        let files: BTreeSet<&str> = steps.iter().map(|step| step.file.as_str()).collect();
        let lines: usize = files.iter().map(|file| code_lines(&read(&root().join(file)))).sum();
        println!("walk {name}: {} files, {lines} lines", files.len());
        assert!(files.len() <= WALK_FILES_MAX, "walk `{name}` goes through {} files", files.len());
        assert!(lines <= WALK_LINES_MAX, "walk `{name}` goes through {lines} lines");
    }
}

#[test]
fn no_file_is_where_everything_meets() {
    for file in rust_files(&root()) {
        let text = read(&file);
        let generated = text.starts_with("// Generated") || text.starts_with("//! Generated");
        let lines = text.lines().count();
        assert!(generated || lines <= FILE_LINES_MAX, "{} has {lines} lines", file.display());
    }
}

/// The clock and `spawn` are forbidden by a lint (clippy.toml); that nothing else awaits is checked here.
#[test]
fn only_drivers_and_front_doors_await() {
    let architecture = read(&root().join("ARCHITECTURE.md"));
    let section = architecture
        .split("\n## ")
        .find(|section| section.starts_with("What moves"))
        .expect("a section `## What moves` lists the files that may await");
    let movers: BTreeSet<&str> = section.split('`').skip(1).step_by(2).collect();
    let mut awaiting = BTreeSet::new();
    for package in ["protocol", "client", "testkit", "processor"] {
        let package = root().join(package).join("src");
        for file in rust_files(&package) {
            let text = read(&file);
            let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or(&text);
            let awaits = code.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(".await"));
            if awaits && file.file_name().is_none_or(|name| name != "tests.rs") {
                let path = file.strip_prefix(root()).expect("the file lies in the tree");
                awaiting.insert(path.to_string_lossy().into_owned());
            }
        }
    }
    let unlisted: Vec<&String> = awaiting.iter().filter(|path| !movers.contains(path.as_str())).collect();
    assert!(unlisted.is_empty(), "these files await and ARCHITECTURE.md does not list them: {unlisted:#?}");
    let idle: Vec<&&str> = movers.iter().filter(|path| !awaiting.contains(**path)).collect();
    assert!(idle.is_empty(), "ARCHITECTURE.md lists these files as moving and they do not: {idle:#?}");
}

/// The `Debug` of the message structs shows all that is in them. So where one is handled that may hold a secret, nothing is
/// shown by `Debug`, neither in a text nor in a log, and no type that derives it holds one.
#[test]
fn messages_with_secrets_are_never_shown_by_debug() {
    const MESSAGES: &[&str] = &[
        "AlterConfigsRe",
        "AlterUserScramCredentialsRe",
        "CreateTopicsRe",
        "DelegationTokenRe",
        "DescribeConfigsRe",
        "EnvelopeRe",
        "SaslAuthenticateRe",
    ];
    let holds = |code: &str| MESSAGES.iter().any(|message| code.contains(message));
    let mut handling = 0;
    for package in ["client", "testkit", "processor"] {
        for file in rust_files(&root().join(package).join("src")) {
            let path = file.display().to_string();
            let text = read(&file);
            let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or(&text);
            if path.contains("tests") || !holds(code) {
                continue;
            }
            handling += 1;
            for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
                let shows = line.contains(":?}") || line.contains(":#?}") || line.contains("dbg!");
                let logs = ["debug!(", "info!(", "warn!(", "error!(", "trace!("].iter().any(|log| line.contains(log));
                assert!(!(shows || logs && line.contains('?')), "{path}: {line}");
            }
            for item in code.split("#[derive(").skip(1) {
                let (traits, rest) = item.split_once(")]").unwrap_or((item, ""));
                let body = rest.split("\n}").next().unwrap_or(rest);
                assert!(!traits.contains("Debug") || !holds(body), "{path}: {body}");
            }
        }
    }
    assert!(handling >= 3, "{handling} files");
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
