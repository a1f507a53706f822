//! Kafka's message schemas to the tables of the guard.

fn main() {}
