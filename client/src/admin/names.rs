//! The numbers and words of the protocol that administrators meet: one type each, and what is not known yet survives.

/// A number with names: one that has none is kept and shown as it is.
macro_rules! numbers {
    ($(
        $(#[$doc:meta])*
        $type:ident { $($(#[$variant_doc:meta])* $constant:ident = $number:literal $word:literal;)* }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            #[expect(clippy::exhaustive_structs, reason = "a number, known or not")]
            pub struct $type(pub i8);

            impl $type {
                $($(#[$variant_doc])* pub const $constant: Self = Self($number);)*

                /// Its name, if it has one.
                #[must_use]
                pub const fn name(self) -> Option<&'static str> {
                    match self.0 {
                        $($number => Some($word),)*
                        _ => None,
                    }
                }
            }

            impl std::fmt::Display for $type {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    match self.name() {
                        Some(name) => f.write_str(name),
                        None => write!(f, "{}", self.0),
                    }
                }
            }

            impl std::fmt::Debug for $type {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    write!(f, "{self}")
                }
            }
        )*
    };
}
pub(super) use numbers;

/// A word with names: one that is not known is kept and shown as it is.
macro_rules! words {
    ($(
        $(#[$doc:meta])*
        $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal;)* }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
            #[non_exhaustive]
            pub enum $type {
                $($(#[$variant_doc])* $variant,)*
                /// One that is not known here, in the broker's word.
                Other(String),
            }

            impl $type {
                /// As Kafka writes it.
                #[must_use]
                pub fn name(&self) -> &str {
                    match self {
                        $(Self::$variant => $word,)*
                        Self::Other(word) => word,
                    }
                }

                pub(super) fn of(word: &str) -> Self {
                    match word {
                        $($word => Self::$variant,)*
                        other => Self::Other(other.to_owned()),
                    }
                }
            }

            impl std::fmt::Display for $type {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(self.name())
                }
            }
        )*
    };
}
pub(super) use words;

numbers! {
    /// Something that an ACL allows or denies (KIP-11).
    AclOperation {
        /// In a filter: whatever the operation.
        ANY = 1 "ANY";
        /// Every operation there is.
        ALL = 2 "ALL";
        /// Reading records, joining a group, committing its offsets.
        READ = 3 "READ";
        /// Writing records, using a transactional id.
        WRITE = 4 "WRITE";
        /// Creating topics.
        CREATE = 5 "CREATE";
        /// Deleting topics, records and groups.
        DELETE = 6 "DELETE";
        /// Changing topics.
        ALTER = 7 "ALTER";
        /// Describing without reading.
        DESCRIBE = 8 "DESCRIBE";
        /// What brokers do among themselves, and what is done for a whole cluster.
        CLUSTER_ACTION = 9 "CLUSTER_ACTION";
        /// Describing configurations.
        DESCRIBE_CONFIGS = 10 "DESCRIBE_CONFIGS";
        /// Changing configurations.
        ALTER_CONFIGS = 11 "ALTER_CONFIGS";
        /// Writing with a producer id; every producer that may write a topic has it.
        IDEMPOTENT_WRITE = 12 "IDEMPOTENT_WRITE";
        /// Creating delegation tokens of others (KIP-373).
        CREATE_TOKENS = 13 "CREATE_TOKENS";
        /// Describing delegation tokens of others (KIP-373).
        DESCRIBE_TOKENS = 14 "DESCRIBE_TOKENS";
        /// Preparing transactions in two phases (KIP-939).
        TWO_PHASE_COMMIT = 15 "TWO_PHASE_COMMIT";
    }
}

/// The operations of a bit field; `None` when the broker does not tell.
pub(super) fn operations(bits: i32) -> Option<Vec<AclOperation>> {
    // The lowest number is Kafka's word for "not asked for".
    (bits != i32::MIN).then(|| (0..31).filter(|bit| bits & 1 << bit != 0).map(AclOperation).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::GroupState;

    #[test]
    fn what_is_not_known_survives() {
        assert_eq!((GroupState::of("Stable"), GroupState::of("Dozing").name()), (GroupState::Stable, "Dozing"));
        assert_eq!(format!("{:?} {}", AclOperation::READ, AclOperation(99)), "READ 99");
    }

    #[test]
    fn the_bits_of_operations_are_their_numbers() {
        let read_and_describe = 1 << 3 | 1 << 8;
        assert_eq!(operations(read_and_describe), Some(vec![AclOperation::READ, AclOperation::DESCRIBE]));
        assert_eq!((operations(0), operations(i32::MIN)), (Some(vec![]), None));
    }
}
