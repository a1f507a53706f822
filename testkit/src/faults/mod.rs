//! What can go wrong between a client and its brokers, on demand and the same each time.

mod change;
mod effect;
mod error_reply;
mod facts;
mod matching;
mod parse;
mod phrase;
mod print;
pub mod proxy;
mod reply;
mod script;
#[cfg(test)]
mod tests;

pub use self::effect::ClusterEffect;
pub use self::error_reply::{ErrorReplyError, Failed};
pub use self::facts::{Named, RequestFacts};
pub use self::matching::{ConnectVerdict, Faults, Outcome, RequestVerdict};
pub use self::parse::ParseError;
pub use self::reply::{ReplyPlan, Then, Write};
pub use self::script::{
    Conditions, ConnectFault, Corruption, Count, Effect, Fault, On, Place, Point, Probability, ReplyFault,
    RequestFault, Rule, Script, Way,
};
