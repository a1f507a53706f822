//! The broker in virtual time: requests in, replies out, no socket.

mod compaction;
mod faults;
mod fetch;
mod groups;
mod kept;
mod produce;
mod replication;
mod retention;
mod secrets;
mod security;
mod sessions;
mod topics;
mod transactions;
mod world;
