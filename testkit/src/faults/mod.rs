//! What can go wrong between a client and its brokers, on demand and the same each time.

mod error_reply;
mod parse;
mod phrase;
mod print;
mod script;
#[cfg(test)]
mod tests;

pub use self::error_reply::{ErrorReplyError, Failed};
pub use self::parse::ParseError;
pub use self::script::{
    Conditions, ConnectFault, Corruption, Count, Effect, Fault, On, Place, Point, Probability, ReplyFault,
    RequestFault, Rule, Script, Way,
};
