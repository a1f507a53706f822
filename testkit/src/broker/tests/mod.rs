//! The broker in virtual time: requests in, replies out, no socket.

mod compaction;
mod expiry;
mod faults;
mod fetch;
mod groups;
mod internal_topics;
mod kept;
mod kept_settings;
mod produce;
mod replication;
mod retention;
mod secrets;
mod security;
mod sessions;
mod settings;
mod topics;
mod transactions;
mod world;
