//! The broker in virtual time: requests in, replies out, no socket.

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
mod settings;
mod topics;
mod transactions;
mod world;
