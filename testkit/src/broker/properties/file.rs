//! The text of a `.properties` file, as `java.util.Properties` reads it.

/// Its properties in their order, each with the number of its first line.
pub(super) fn read(text: &str) -> Vec<(usize, String, String)> {
    let mut properties = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        // A backslash at its end joins a line with the next, without what that begins with.
        while line.chars().rev().take_while(|it| *it == '\\').count() % 2 == 1 {
            line.pop();
            let Some((_, next)) = lines.next() else { break };
            line.push_str(next.trim_start());
        }
        let (name, value) = split(&line);
        properties.push((number + 1, unescaped(name), unescaped(value.trim_end())));
    }
    properties
}

/// A name ends at the first `=`, `:` or white space that no backslash stands before.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|it: char| {
        let ends = !escaped && (it == '=' || it == ':' || it.is_whitespace());
        escaped = it == '\\' && !escaped;
        ends
    });
    let (name, rest) = line.split_at_checked(end.unwrap_or(line.len())).unwrap_or((line, ""));
    let rest = rest.trim_start();
    (name, rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start())
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(it) = rest.next() {
        if it != '\\' {
            plain.push(it);
            continue;
        }
        match rest.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('u') => {
                let digits: String = rest.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                plain.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_java_reads_it() {
        let read: Vec<_> = read("! no\n  # no\n\n a = b \nc:d=e\nf g\nh\\=i=j\\\n   k\nl=\\u0041\\n\nm\n");
        let read: Vec<_> = read.iter().map(|(line, name, value)| (*line, name.as_str(), value.as_str())).collect();
        assert_eq!(
            read,
            [(4, "a", "b"), (5, "c", "d=e"), (6, "f", "g"), (7, "h=i", "jk"), (9, "l", "A\n"), (10, "m", "")]
        );
    }
}
