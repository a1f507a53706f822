//! Users, as a login module is told of them: `PlainLoginModule required user_alice="alice-secret";`.
//!
//! SCRAM takes the same here, where Kafka keeps its users with the controllers.

use crate::broker::config::User;

const USER_PREFIX: &str = "user_";

/// Who may log in. `username` and `password`, by which a broker itself logs in, are passed over.
///
/// # Errors
/// What is wrong with the text; its values are not shown.
pub(super) fn users(text: &str) -> Result<Vec<User>, String> {
    let mut rest = text.trim().strip_suffix(';').ok_or("it has to end with `;`")?;
    for what in ["a login module", "`required`"] {
        let word = rest.trim_start();
        let (first, behind) = word.split_once(char::is_whitespace).unwrap_or((word, ""));
        if first.is_empty() || first.contains('=') {
            return Err(format!("{what} is expected at its beginning"));
        }
        rest = behind;
    }
    let mut users = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(users);
        }
        let (name, behind) = rest.split_once('=').ok_or("options are written as name=\"value\"")?;
        let name = name.trim();
        let (value, behind) = value(behind.trim_start()).ok_or_else(|| format!("{name} has no closing quote"))?;
        if let Some(user) = name.strip_prefix(USER_PREFIX) {
            users.push(User::new(user, &value));
        }
        rest = behind;
    }
}

/// A value in quotes, or up to the next white space; and what stands behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quote) = text.chars().next().filter(|it| matches!(it, '"' | '\'')) else {
        let (value, behind) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        return Some((value.to_owned(), behind));
    };
    let mut value = String::new();
    let mut rest = text.chars();
    rest.next();
    while let Some(it) = rest.next() {
        match it {
            '\\' => value.extend(rest.next()),
            it if it == quote => return Some((value, rest.as_str())),
            it => value.push(it),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_passwords_with_anything_in_them() {
        let text = r#"org.x.PlainLoginModule required username="b" password="p" user_alice="a \"b\" ;c" user_bob='d';"#;
        let expected = [User::new("alice", "a \"b\" ;c"), User::new("bob", "d")];
        assert_eq!(users(text).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_said_without_a_secret() {
        assert!(users("org.x.PlainLoginModule required user_a=\"s3cret\"").unwrap_err().contains("`;`"));
        let open = users("org.x.PlainLoginModule required user_a=\"s3cret;").unwrap_err();
        assert!(open.contains("user_a") && !open.contains("s3cret"), "{open}");
        assert!(users("user_a=\"s3cret\";").unwrap_err().contains("a login module"));
    }
}
