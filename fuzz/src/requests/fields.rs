//! What stands in the fields of requests: few names, so that requests meet, numbers that mean something, and what answers
//! have told.

use std::collections::BTreeMap;

use tidemill_protocol::ApiKey;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::guard::Fields;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp};

use super::UNIX_MS;
use super::input::Input;

pub(super) const TOPICS: [&str; 3] = ["a", "b", "c"];
const GROUPS: [&str; 2] = ["g", "h"];
const TRANSACTIONAL_IDS: [&str; 2] = ["x", "y"];

const SETTINGS: [&str; 14] = [
    "retention.bytes",
    "segment.bytes",
    "retention.ms",
    "cleanup.policy",
    "min.insync.replicas",
    "unclean.leader.election.enable",
    "message.timestamp.type",
    "max.message.bytes",
    "segment.ms",
    "compression.type",
    "delete.retention.ms",
    "min.cleanable.dirty.ratio",
    "consumer.session.timeout.ms",
    "nonsense",
];
const VALUES: [&str; 11] =
    ["1", "0", "-1", "1048576", "100", "true", "false", "compact", "compact,delete", "LogAppendTime", "gzip"];

/// Of these, what answers say is used again.
const LEARNT: [&str; 8] = [
    "member_id",
    "producer_id",
    "producer_epoch",
    "session_id",
    "topic_id",
    "generation_id",
    "member_epoch",
    "leader_epoch",
];

/// So many of each are known.
const LEARNT_MAX: usize = 3;

/// What answers have told, the newest last.
#[derive(Debug, Default)]
pub(super) struct Known {
    numbers: BTreeMap<&'static str, Vec<i64>>,
    texts: Vec<String>,
    ids: Vec<[u8; 16]>,
    /// How many requests have gone into the fetch session.
    session_epoch: i64,
    /// What comes next, by producer and partition, as far as that is known.
    sequence: BTreeMap<i64, i32>,
}

impl Known {
    /// Takes what it can use from the description of an answer.
    pub(super) fn learn(&mut self, said: &str) {
        for line in said.lines() {
            let Some((name, value)) = line.trim().split_once(": ") else { continue };
            let Some(name) = LEARNT.into_iter().find(|learnt| *learnt == name) else { continue };
            match name {
                "member_id" => remember(&mut self.texts, value.trim_matches('"').to_owned()),
                "topic_id" => {
                    if let Ok(id) = value.parse::<uuid::Uuid>() {
                        remember(&mut self.ids, id.into_bytes());
                    }
                }
                _ => {
                    if let Ok(number) = value.parse::<i64>()
                        && number > 0
                    {
                        let of = self.numbers.entry(name).or_default();
                        if name == "session_id" && of.last() != Some(&number) {
                            self.session_epoch = 0;
                        }
                        remember(of, number);
                    }
                }
            }
        }
    }

    fn number(&self, name: &str, back: u8) -> Option<i64> {
        let of = self.numbers.get(name)?;
        of.iter().rev().nth(usize::from(back) % of.len().max(1)).copied()
    }
}

fn remember<T: PartialEq>(list: &mut Vec<T>, value: T) {
    list.retain(|known| *known != value);
    if list.len() == LEARNT_MAX {
        list.remove(0);
    }
    list.push(value);
}

/// The fields of one request.
#[derive(Debug)]
pub(super) struct Meant<'a, 'b> {
    pub(super) input: &'a mut Input<'b>,
    pub(super) known: &'a mut Known,
    pub(super) api: ApiKey,
}

impl Fields for Meant<'_, '_> {
    fn is_present(&mut self, path: &[&str]) -> bool {
        match last(path) {
            // Few are static members, or read from a rack, or are named by a pattern.
            "group_instance_id" | "instance_id" | "rack_id" | "subscribed_topic_regex" => self.input.once_in(4),
            "transactional_id" if self.api == ApiKey::PRODUCE => !self.input.once_in(3),
            "cursor" | "assignments" => self.input.once_in(4),
            _ => !self.input.once_in(5),
        }
    }

    fn count(&mut self, path: &[&str]) -> usize {
        match last(path) {
            "configs" | "forgotten_topics_data" | "assignments" => usize::from(self.input.once_in(3)),
            "replicas" | "broker_ids" => self.input.pick(&[1, 2, 3, 0]),
            _ => self.input.pick(&[1, 1, 2, 0, 1, 3]),
        }
    }

    fn number(&mut self, path: &[&str], bits: u32) -> i64 {
        if self.input.once_in(29) {
            return self.input.limit();
        }
        let name = last(path);
        let back = |input: &mut Input<'_>| input.byte() / 86;
        match name {
            _ if bits == 1 => i64::from(self.input.byte() % 2),
            "acks" => self.input.pick(&[-1, -1, 1, 0]),
            "index" | "partition" | "partition_index" | "partition_indexes" | "partition_id" | "partitions" => {
                self.input.pick(&[0, 0, 1, 2])
            }
            "num_partitions" => self.input.pick(&[2, 1, 3, -1]),
            "count" => self.input.pick(&[3, 2, 4]),
            "replication_factor" => self.input.pick(&[-1, 3, 2, 1]),
            "replicas" | "broker_ids" | "broker_id" | "node_id" => self.input.pick(&[1, 2, 3]),
            "replica_id" => self.input.pick(&[-1, -1, 1]),
            "offset" | "fetch_offset" | "committed_offset" => self.input.pick(&[0, 1, 2, 3, 5, 8, -1]),
            "timestamp" => self.input.pick(&[-1, -2, -3, -4, -5, UNIX_MS]),
            "max_bytes" | "partition_max_bytes" => self.input.pick(&[1 << 20, 100, 1]),
            "min_bytes" => self.input.pick(&[1, 0, 200, 1 << 20]),
            "max_wait_ms" | "timeout_ms" => self.input.pick(&[500, 0, 100, 10_000]),
            "rebalance_timeout_ms" => self.input.pick(&[5000, 1000, 60_000]),
            "session_timeout_ms" | "transaction_timeout_ms" => self.input.pick(&[10_000, 6000, 60_000]),
            "session_epoch" => {
                self.known.session_epoch += 1;
                if self.input.once_in(3) { self.input.pick(&[0, -1, 1]) } else { self.known.session_epoch - 1 }
            }
            "session_id" if self.known.session_epoch == 0 => 0,
            "isolation_level" => self.input.pick(&[0, 1]),
            "key_type" => self.input.pick(&[0, 1]),
            "resource_type" => self.input.pick(&[2, 4, 32, 8]),
            "config_operation" => self.input.pick(&[0, 1, 2, 3]),
            "generation_id_or_member_epoch" => {
                let name = if self.input.once_in(2) { "member_epoch" } else { "generation_id" };
                self.known.number(name, back(self.input)).unwrap_or(-1)
            }
            "member_epoch" => match self.input.byte() % 8 {
                0 | 1 => 0,
                2 => self.input.pick(&[-1, -2]),
                _ => self.known.number("member_epoch", back(self.input)).unwrap_or(0),
            },
            "producer_id" | "v3_and_below_producer_id" => {
                self.known.number("producer_id", back(self.input)).unwrap_or(0)
            }
            "producer_epoch" | "v3_and_below_producer_epoch" => {
                let known = self.known.number("producer_epoch", back(self.input)).unwrap_or(0);
                if self.input.once_in(3) { 0 } else { known }
            }
            "coordinator_epoch" => self.input.pick(&[0, 1]),
            "current_leader_epoch" | "leader_epoch" | "last_fetched_epoch" | "committed_leader_epoch" => {
                if self.input.once_in(3) { self.known.number("leader_epoch", 0).unwrap_or(0) } else { -1 }
            }
            _ => self.known.number(name, back(self.input)).unwrap_or_else(|| self.input.pick(&[0, -1, 1, 2, 3])),
        }
    }

    fn text(&mut self, path: &[&str]) -> String {
        let parent = path.len().checked_sub(2).and_then(|at| path.get(at)).copied().unwrap_or_default();
        let mut one = |of: &[&str]| self.input.pick(of).to_owned();
        match (parent, last(path)) {
            (_, "group_id" | "group" | "groups_names" | "groups") => one(&GROUPS),
            (_, "transactional_id" | "v3_and_below_transactional_id" | "transactional_ids") => one(&TRANSACTIONAL_IDS),
            (_, "member_id") => {
                let back = usize::from(self.input.byte());
                let known = &self.known.texts;
                if back < 80 || known.is_empty() { String::new() } else { known[back % known.len()].clone() }
            }
            (_, "group_instance_id" | "instance_id") => one(&["i", "j"]),
            (_, "protocol_type") => one(&["consumer", "connect"]),
            ("protocols", "name") | (_, "protocol_name") => one(&["range", "sticky"]),
            ("configs", "name") | (_, "configuration_keys") => one(&SETTINGS),
            ("configs", "value") => one(&VALUES),
            (_, "key") => one(&["g", "x", "h", "y"]),
            (_, "subscribed_topic_regex") => one(&["[ab]", ".*", "("]),
            (_, "server_assignor") => one(&["uniform", "range", "other"]),
            (_, "metadata" | "committed_metadata" | "reason") => one(&["", "m"]),
            (_, "rack_id") => one(&["rack-0", "rack-1"]),
            (_, "topic" | "topic_name" | "topics" | "name" | "topic_names" | "subscribed_topic_names") => one(&TOPICS),
            (_, "resource_name") => one(&["a", "1", "g", "b", ""]),
            _ => one(&["a", "", "1", "*", "User:a"]),
        }
    }

    fn bytes(&mut self, path: &[&str]) -> Vec<u8> {
        match last(path) {
            "records" => self.batch(),
            // A subscription of consumers to one topic.
            "metadata" => {
                let topic = self.input.pick(&TOPICS);
                [b"\0\0\0\0\0\x01\0\x01", topic.as_bytes(), b"\xff\xff\xff\xff"].concat()
            }
            _ => vec![0; usize::from(self.input.byte() % 9)],
        }
    }

    fn uuid(&mut self, _path: &[&str]) -> [u8; 16] {
        let choice = usize::from(self.input.byte());
        let known = &self.known.ids;
        if choice == 255 || known.is_empty() { [0; 16] } else { known[choice % known.len()] }
    }
}

impl Meant<'_, '_> {
    fn batch(&mut self) -> Vec<u8> {
        let mut builder = BatchBuilder::new(256);
        let codec = self.input.pick(&[Codec::None, Codec::None, Codec::Gzip, Codec::Lz4]);
        let count = self.input.pick(&[1, 2, 3]);
        for _ in 0..count {
            let key = self.input.pick(&[Some(&b"k"[..]), Some(b"l"), None]);
            let timestamp = self.input.pick(&[UNIX_MS, UNIX_MS + 5000, UNIX_MS - 90_000_000, -1]);
            builder.append(&NewRecord { timestamp, key, value: Some(b"value"), headers: &[] });
        }
        let is_known = !self.input.once_in(3);
        let producer = self.known.number("producer_id", self.input.byte() / 86).unwrap_or(0);
        let epoch = self.known.number("producer_epoch", self.input.byte() / 86).unwrap_or(0);
        let epoch = if self.input.once_in(4) { 0 } else { epoch };
        let next = self.known.sequence.entry(producer).or_default();
        let base_sequence = match self.input.byte() % 8 {
            0..=2 => 0,
            3 => next.saturating_sub(1).max(0),
            _ => *next,
        };
        *next = base_sequence.saturating_add(count);
        let stamp =
            ProducerStamp { producer_id: producer, producer_epoch: i16::try_from(epoch).unwrap_or(0), base_sequence };
        let transactional = is_known && self.input.byte().is_multiple_of(2);
        let flags = BatchFlags { transactional, ..BatchFlags::default() };
        let mut batch = builder.seal(codec).stamp(is_known.then_some(stamp), flags).to_vec();
        if self.input.once_in(23) {
            self.input.change(&mut batch);
        }
        batch
    }
}

fn last<'a>(path: &[&'a str]) -> &'a str {
    path.last().copied().unwrap_or_default()
}
