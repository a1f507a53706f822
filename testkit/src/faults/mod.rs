//! What can go wrong between a client and its brokers: on demand, as data, and the same each time.
//!
//! A [`Script`] says what. [`Faults`] plays it: a machine that the embedded cluster asks as clients connect, before a
//! request is applied and before its answer is sent. [`proxy`] plays the same script between any client and any Kafka.
//!
//! # A script
//!
//! One rule a line: an event, conditions, a colon, a fault. `#` begins a comment. A script prints as it is read.
//!
//! ```text
//! Produce broker=2 topic=clicks/0 times=1: lose reply
//! Fetch,ListOffsets v4-12 client=reader-1 p=0.1: delay 200ms
//! * broker=1 after=5s until=8s: black hole
//! at 10s: crash broker 1 losing tail
//! ```
//!
//! The event is `connect`, a request (`*` for any, one API or several with commas, and a range of versions if need be), or
//! `at` and a time from the start. The conditions:
//!
//! | condition | holds |
//! |---|---|
//! | `broker=1` | at the broker with this id |
//! | `topic=clicks`, `topic=clicks/0` | when the request names this topic, or this partition of it |
//! | `group=readers` | when the request names this group |
//! | `client=a` | for the client that calls itself so |
//! | `host=127.0.0.1` | for a client that connects from there |
//! | `times=2`, `nth=2` | the first two times, or the second time only |
//! | `p=0.25` | by chance, drawn from the seed |
//! | `after=5s`, `until=8s` | from this time of the script on, and before this one |
//!
//! Names that are more than letters, digits, `.`, `_` and `-` stand in quotes. Times are whole numbers with one of `ns`,
//! `us`, `ms`, `s`, `m`, `h`. Rules are tried in the order of the script; what one has done stays when the next is tried,
//! until the request or its answer is gone. A rule counts the events at which it could strike.
//!
//! # Faults
//!
//! As a client connects:
//!
//! | rule | what happens |
//! |---|---|
//! | `connect: refuse` | nobody listens |
//! | `connect: reset` | the connection is there, and is reset |
//! | `connect: half open` | it is there, what is sent on it is taken, and nothing comes back |
//! | `connect: black hole` | nothing comes back, not even that it is there |
//! | `connect: delay 2s` | it is there later |
//!
//! Before a request is applied:
//!
//! | rule | what happens |
//! |---|---|
//! | `Produce: error NOT_LEADER_OR_FOLLOWER` | the answer is this error, for all that was asked, in the fields where Kafka has it |
//! | `Produce: lose request` | no answer |
//! | `Produce: delay 200ms` | it is applied later, and so are those behind it on the connection |
//! | `Produce: close` | the connection is closed |
//! | `Produce: reset` | the connection is reset |
//! | `Produce: black hole` | from here on nothing arrives on this connection, either way |
//! | `Produce: black hole requests` | from here on no request arrives; answers to earlier ones do |
//! | `Produce: black hole replies` | from here on requests are applied, and no answer arrives |
//!
//! A connection that has fallen into a black hole stays in it, also when the rule's time is over; a new one does not.
//!
//! After it was applied:
//!
//! | rule | what happens |
//! |---|---|
//! | `Produce: error REQUEST_TIMED_OUT after applying` | the answer is this error instead |
//! | `Produce: lose reply` | no answer; the next request has one |
//! | `Produce: delay 200ms after applying` | the answer comes later |
//! | `Produce: close after applying` | the connection is closed instead of answering |
//! | `Produce: reset after applying` | the connection is reset instead of answering |
//! | `Produce: black hole after applying` | nothing arrives any more |
//! | `Produce: repeat reply` | the answer comes twice |
//! | `Produce: swap reply` | the answer comes behind the next one of the connection |
//! | `Fetch: cut reply at 17` | 17 bytes of it come (four are its length), then the connection is closed |
//! | `Fetch: cut reply anywhere` | the same, at a byte drawn from the seed |
//! | `Fetch: corrupt byte at 17` | a bit of this byte behind the length is another; `anywhere`, as above |
//! | `Fetch: corrupt length` | the length says one byte too many |
//! | `Fetch: corrupt crc` | the checksum of its first record batch is wrong |
//! | `Fetch: corrupt count` | the record count of that batch is one too many, its checksum right |
//! | `Fetch: corrupt codec` | that batch says another codec, its checksum right |
//! | `Fetch: garbage 12` | twelve random bytes follow it |
//! | `Fetch: wrong correlation id` | it answers what was not asked |
//! | `Fetch: one-byte writes` | it comes byte by byte |
//! | `Fetch: throttle 500ms` | it tells the client to wait so long |
//! | `Fetch: throttle 500ms mute` | and the broker does not read from the connection meanwhile |
//! | `Metadata: empty metadata` | it knows of no topic |
//!
//! To the cluster, before the request is applied or, with `after applying`, between that and its answer; or `at` a time.
//! What a request says may be left out: its partition, group, transactional id, broker.
//!
//! | rule | what happens |
//! |---|---|
//! | `Produce topic=clicks/0: move leader to 2 after applying` | broker 2 leads; without `to`, another than now |
//! | `at 5s: move leader of clicks/0` | the same, at a time |
//! | `OffsetCommit: move group coordinator` | another broker coordinates the group |
//! | `EndTxn: move transaction coordinator of writer-1 to 2` | broker 2 coordinates the transactional id |
//! | `Produce times=1: crash losing tail` | the broker dies; what was not replicated is gone when it comes back |
//! | `at 5s: crash broker 1 keeping tail` | the same, and it is not gone |
//! | `at 9s: start broker 1` | it comes back |
//! | `EndTxn: hold markers` | markers of transactions are not written |
//! | `at 9s: release markers` | they are |
//! | `Fetch topic=clicks nth=3: recreate topic` | the topic is deleted and made anew, with another id |
//! | `at 5s: delete topic clicks` | the topic is deleted |
//! | `OffsetCommit group=readers nth=2: evict group` | the members of the group are thrown out |
//! | `at 5s: jump clock +1h` | the wall clock of the brokers jumps |
//! | `Metadata broker=2: stale metadata` | this broker's metadata stays as it is |
//! | `at 5s: part broker 1 from broker 2` | what 1 sends does not arrive at 2 |
//! | `at 5s: part broker 1 from broker 2 both ways` | nor the other way |
//! | `at 9s: heal` | all hear each other, and metadata is true |
//! | `Fetch nth=10: expire session` | the SASL session of the connection has ended (KIP-368) |
//! | `at 5s: limit Produce to v3-8` | the brokers speak these versions of the API only |
//!
//! # Hooking it to a broker
//!
//! For each connection [`Faults::on_connect`], and [`Faults::on_disconnect`] at its end. For each request frame:
//! [`Faults::read`] gives its [`RequestFacts`], and [`Faults::on_request`] a [`RequestVerdict`]: wait for its delay, carry
//! out what is to happen before, do what its [`Outcome`] says, and, if the request was applied, carry out what is to happen
//! after. For each answer, also one that the verdict gave, [`Faults::on_reply`] gives a [`ReplyPlan`]: the writes, in order,
//! and what becomes of the connection. [`Faults::poll`] gives what happens by itself. A test ends with
//! [`Faults::never_fired`].
//!
//! # Files
//!
//! - `script`: the values; `print` and `parse` with `phrase`: to text and back
//! - `facts`: what a request says that rules ask for
//! - `matching`: the machine; `effect`: what it does to the cluster
//! - `reply` and `change`: what becomes of an answer
//! - `error_reply`: the answer to a request that fails, of any API in any version
//! - [`proxy`]: the script in front of any Kafka

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
pub(crate) use self::parse::near;
pub use self::reply::{ReplyPlan, Then, Write};
pub use self::script::{
    Conditions, ConnectFault, Corruption, Count, Effect, Fault, On, Place, Point, Probability, ReplyFault,
    RequestFault, Rule, Script, Way,
};
