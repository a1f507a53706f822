//! `sasl.jaas.config`: a login module and its options, as Java's clients write it.
//!
//! `org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="alice-secret";` Values may
//! stand in double or single quotes, with the escapes of Java's `StreamTokenizer`. What is refused is never quoted: it may
//! be a password.

use std::collections::BTreeMap;

use super::secret::Secret;

/// A login module and its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Jaas {
    /// Without its package.
    pub(super) module: String,
    pub(super) options: BTreeMap<String, Secret>,
}

enum Token {
    Word(String),
    Quoted(String),
    Equals,
    End,
}

impl Jaas {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut tokens = tokens(text)?.into_iter();
        let Some(Token::Word(module)) = tokens.next() else { return Err("it does not begin with a login module") };
        match tokens.next() {
            Some(Token::Word(flag))
                if ["required", "requisite", "sufficient", "optional"].contains(&&*flag.to_ascii_lowercase()) => {}
            Some(_) | None => return Err("behind the login module comes `required`"),
        }
        let mut options = BTreeMap::new();
        loop {
            match (tokens.next(), tokens.next(), tokens.next()) {
                (Some(Token::End), None, None) => break,
                (Some(Token::End), ..) => return Err("only one login module can be used"),
                (
                    Some(Token::Word(name) | Token::Quoted(name)),
                    Some(Token::Equals),
                    Some(Token::Word(value) | Token::Quoted(value)),
                ) => {
                    options.insert(name, Secret::new(value));
                }
                (None, ..) => return Err("it does not end with a semicolon"),
                _ => return Err("options are written as name=\"value\""),
            }
        }
        let module = module.rsplit('.').next().unwrap_or_default().to_owned();
        Ok(Self { module, options })
    }

    pub(super) fn option(&self, name: &str) -> Option<&Secret> {
        self.options.get(name)
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, &'static str> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            blank if blank.is_whitespace() => {}
            '=' => tokens.push(Token::Equals),
            ';' => tokens.push(Token::End),
            quote @ ('"' | '\'') => {
                let mut value = String::new();
                loop {
                    match letters.next().ok_or("a quote is not closed")? {
                        end if end == quote => break,
                        '\\' => {
                            let escaped = letters.next().ok_or("a quote is not closed")?;
                            value.push(match escaped {
                                'a' => '\x07',
                                'b' => '\x08',
                                'f' => '\x0c',
                                'n' => '\n',
                                'r' => '\r',
                                't' => '\t',
                                'v' => '\x0b',
                                '0'..='7' => {
                                    let mut code = escaped.to_digit(8).unwrap_or_default();
                                    // Three digits at most, the largest of them 377.
                                    for _ in 1..if escaped <= '3' { 3 } else { 2 } {
                                        let Some(digit) = letters.peek().and_then(|next| next.to_digit(8)) else {
                                            break;
                                        };
                                        code = code * 8 + digit;
                                        letters.next();
                                    }
                                    char::from_u32(code).unwrap_or_default()
                                }
                                other => other,
                            });
                        }
                        other => value.push(other),
                    }
                }
                tokens.push(Token::Quoted(value));
            }
            first => {
                let mut word = String::from(first);
                while let Some(next) =
                    letters.next_if(|next| !next.is_whitespace() && !['=', ';', '"', '\''].contains(next))
                {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_and_its_options_are_read_as_java_reads_them() {
        let text = r#"org.apache.kafka.common.security.plain.PlainLoginModule required
            username="alice" password='a "b" \'c\' \\ \n\101;' plain=word;"#;
        let jaas = Jaas::parse(text).unwrap();
        assert_eq!(jaas.module, "PlainLoginModule");
        let option = |name| jaas.option(name).unwrap().expose();
        assert_eq!(option("username"), "alice");
        assert_eq!(option("password"), "a \"b\" 'c' \\ \nA;");
        assert_eq!(option("plain"), "word");
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        for text in [
            "",
            ";",
            "PlainLoginModule;",
            "PlainLoginModule required",
            "PlainLoginModule required username;",
            "PlainLoginModule required username=;",
            "PlainLoginModule required username=\"alice;",
            "PlainLoginModule required; ScramLoginModule required;",
        ] {
            assert!(Jaas::parse(text).is_err(), "{text}");
        }
    }
}
