//! Java's format of `.properties` files, as `java.util.Properties.load` has it, but that a name stands there once.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// The properties of a file's text, or the line that is wrong and why.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut properties = BTreeMap::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let line = line.trim_start_matches(BLANKS);
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut whole = line.to_owned();
        while goes_on(&whole) {
            whole.pop();
            match lines.next() {
                Some((next, _)) => whole.push_str(next.trim_start_matches(BLANKS)),
                None => break,
            }
        }
        let wrong = |reason: String| format!("line {number}: {reason}");
        let mut rest = whole.chars().peekable();
        let name = take_name(&mut rest).map_err(wrong)?;
        let value = take_value(&mut rest).map_err(wrong)?;
        if properties.insert(name.clone(), value).is_some() {
            return Err(wrong(format!("'{}' is there twice", super::shorten(&name))));
        }
    }
    Ok(properties)
}

const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

/// Whether the line ends in a backslash that is not itself escaped.
fn goes_on(line: &str) -> bool {
    line.chars().rev().take_while(|char| *char == '\\').count() % 2 == 1
}

/// Up to the first separator; blanks around it, and one `=` or `:` among them, belong to neither name nor value.
fn take_name(rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut name = String::new();
    while let Some(char) = rest.next_if(|char| !matches!(char, '=' | ':') && !BLANKS.contains(char)) {
        name.push(if char == '\\' { unescape(rest)? } else { char });
    }
    let skip_blanks = |rest: &mut Peekable<Chars<'_>>| while rest.next_if(|char| BLANKS.contains(char)).is_some() {};
    skip_blanks(rest);
    if rest.next_if(|char| matches!(char, '=' | ':')).is_some() {
        skip_blanks(rest);
    }
    Ok(name)
}

fn take_value(rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut value = String::new();
    while let Some(char) = rest.next() {
        value.push(if char == '\\' { unescape(rest)? } else { char });
    }
    Ok(value)
}

/// What follows a backslash. A character that has no meaning there stands for itself.
fn unescape(rest: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    Ok(match rest.next() {
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('f') => '\u{c}',
        Some('u') => {
            let digits: String = rest.by_ref().take(4).collect();
            let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
            code.and_then(char::from_u32).ok_or_else(|| {
                format!("'\\u{}' is no character: four hexadecimal digits are", super::shorten(&digits))
            })?
        }
        Some(char) => char,
        None => return Err("a backslash at the end stands for nothing".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reads_as_in_java() {
        let text = "# comment\n! another\n\n  bootstrap.servers = a:1,\\\n      b:2\nclient.id:clicks\nacks all\nempty=\nlone\n\
                    caf\\u00e9\\ au\\=lait=\\tx\\\\\\q \nsasl.jaas.config=Module required username=\"a\" password=\"b\";";
        let read = parse(text).unwrap();
        let expected = [
            ("acks", "all"),
            ("bootstrap.servers", "a:1,b:2"),
            ("café au=lait", "\tx\\q "),
            ("client.id", "clicks"),
            ("empty", ""),
            ("lone", ""),
            ("sasl.jaas.config", "Module required username=\"a\" password=\"b\";"),
        ];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert_eq!(parse("a=1\n\na=2").unwrap_err(), "line 3: 'a' is there twice");
        assert!(parse("a=\\u12g4").unwrap_err().starts_with("line 1: '\\u12g4' is no character"));
        assert!(parse("a=\\ud800").unwrap_err().contains("no character"));
        assert!(parse("a=x\\").unwrap().contains_key("a"), "a last line may be left open, as in Java");
    }
}
