//! Flink's lexical rules, for sqlparser's tokenizer: names are quoted with backticks, strings with `'`.
//!
//! After: `sql/parse` reads the tokens. Case is kept in names and means nothing in keywords.

use sqlparser::dialect::Dialect;

/// Flink SQL.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlinkDialect;

impl Dialect for FlinkDialect {
    fn is_delimited_identifier_start(&self, character: char) -> bool {
        character == '`'
    }

    fn is_identifier_start(&self, character: char) -> bool {
        character.is_alphabetic() || character == '_'
    }

    fn is_identifier_part(&self, character: char) -> bool {
        character.is_alphanumeric() || matches!(character, '_' | '$')
    }
}
