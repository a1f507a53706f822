//! Descriptions of the messages that [`bodies`](super::bodies) takes: there is one of whatever the guard accepts, it can
//! be read back line by line, says as many elements as it shows, and is fit for a log.

use tidemill_protocol::guard::{self, Budget};

use super::bodies;
use super::golden::{Side, framed};

/// Where a description ends, and what its last line may add: a string of 32,767 bytes, each written as `\u{7f}`.
const TEXT_BYTES_MAX: usize = 64 * 1024 + 6 * 32_767 + 1024;
/// The last line of one that is too long.
const MORE: &str = "... and more\n";

/// Whether the body was accepted, and so described.
pub fn run(bytes: &[u8]) -> bool {
    let Some((api, version, side, body)) = bodies::choose(bytes) else { return false };
    let frame = framed(api, version, side, body);
    let (checked, described) = match side {
        Side::Request => (guard::check_request(api, version, body, Budget::default()), guard::describe_request(&frame)),
        Side::Response => (
            guard::check_response(api, version, &frame, Budget::default()).map(|_| ()),
            guard::describe_response(api, version, &frame),
        ),
    };
    assert_eq!(checked.err(), described.as_ref().err().cloned());
    let Ok(text) = described else { return false };
    assert!(text.len() <= TEXT_BYTES_MAX, "{} bytes", text.len());
    let is_odd = |character: char| character.is_control() && character != '\n';
    assert!(!text.chars().any(is_odd) && text.ends_with('\n'), "{text:?}");
    assert!(text.starts_with(&format!("{api} v{version} ")), "{text}");
    match text.strip_suffix(MORE) {
        Some(part) => drop(read(part)),
        None => assert_counts(&read(&text)),
    }
    true
}

/// A line of a description with those that stand deeper below it.
#[derive(Debug)]
pub struct Node {
    /// What stands behind its name or index.
    pub text: String,
    /// The fields or elements in it, by name or index.
    pub children: Vec<(String, Self)>,
}

/// Reads a description; its first line names the message.
pub fn read(description: &str) -> Node {
    let mut lines = description.lines().skip(1).peekable();
    let children = read_deeper(&mut lines, 0);
    assert_eq!(lines.next(), None, "{description}");
    Node { text: String::new(), children }
}

fn read_deeper<'a>(
    lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    depth: usize,
) -> Vec<(String, Node)> {
    let depth_of = |line: &str| (line.len() - line.trim_start_matches(' ').len()) / 2;
    let mut nodes = Vec::new();
    while let Some(line) = lines.next_if(|line| depth_of(line) == depth) {
        let line = line.trim_start_matches(' ');
        let parts = if line.starts_with('[') { line.split_once(']') } else { line.split_once(':') };
        let (label, text) = parts.unwrap_or_else(|| panic!("no label: {line}"));
        let children = read_deeper(lines, depth + 1);
        nodes.push((label.trim_start_matches('[').to_owned(), Node { text: text.trim_start().to_owned(), children }));
    }
    nodes
}

/// Elements are numbered from 0, and are as many as their array says.
fn assert_counts(node: &Node) {
    let is_array = node.children.first().is_some_and(|(label, _)| label == "0");
    if is_array {
        assert_eq!(node.text, node.children.len().to_string());
        assert!(node.children.iter().enumerate().all(|(index, (label, _))| *label == index.to_string()), "{node:?}");
    }
    for (_, child) in &node.children {
        assert_counts(child);
    }
}
