//! The table of a member's states, and that no partition ever has two owners.

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::expect_file;
use tidemill_protocol::ErrorCode;
use tidemill_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use tidemill_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicName};

use super::super::Refusal;
use super::member::{Held, State};
use super::*;
use crate::broker::topic_config::TopicConfig;

const CLICKS: Uuid = Uuid::from_u128(1);

/// A group, the topic `clicks` of four partitions, and a clock.
struct World {
    group: ConsumerGroup,
    topics: Topics,
    properties: GroupProperties,
    now: Instant,
}

#[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
fn start() -> Instant {
    Instant::now()
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

impl World {
    fn new() -> Self {
        let mut topics = Topics::default();
        topics.create("clicks", CLICKS, vec![vec![1]; 4], TopicConfig::new([]).unwrap()).unwrap();
        Self { group: ConsumerGroup::new(), topics, properties: GroupProperties::default(), now: start() }
    }

    fn send(&mut self, request: &ConsumerGroupHeartbeatRequest) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let beat = Heartbeat {
            request,
            version: 1,
            member_id: request.member_id.clone(),
            client_id: "client",
            client_host: "/127.0.0.1",
            topics: &self.topics,
            properties: &self.properties,
            now: self.now,
        };
        if beat.leaves() { self.group.on_leave_heartbeat(&beat) } else { self.group.on_heartbeat(&beat) }
    }

    fn request(member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest::default()
            .with_member_id(text(member))
            .with_member_epoch(epoch)
            .with_rebalance_timeout_ms(-1)
            .with_subscribed_topic_names(None)
            .with_topic_partitions(None)
    }

    fn reads(member: &str, epoch: i32, topics: &[&str]) -> ConsumerGroupHeartbeatRequest {
        let names = topics.iter().map(|name| TopicName(text(name))).collect();
        Self::request(member, epoch).with_rebalance_timeout_ms(60_000).with_subscribed_topic_names(Some(names))
    }

    fn join(&mut self, member: &str) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        self.send(&Self::reads(member, 0, &["clicks"]).with_topic_partitions(Some(Vec::new())))
    }

    fn epoch(&self, member: &str) -> i32 {
        let known = self.group.members.get(&text(member)).map(|member| member.epoch);
        // Who is not there, or away, has an old one.
        known.filter(|epoch| *epoch > 0).unwrap_or(2)
    }

    fn beat(&mut self, member: &str) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let epoch = self.epoch(member);
        self.send(&Self::request(member, epoch))
    }

    fn owns(&mut self, member: &str, partitions: &[i32]) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let owned = TopicPartitions::default().with_topic_id(CLICKS).with_partitions(partitions.to_vec());
        let epoch = self.epoch(member);
        self.send(&Self::request(member, epoch).with_topic_partitions(Some(vec![owned])))
    }

    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.group.on_time(&self.topics, self.now);
    }

    /// `a` has everything.
    fn stable() -> Self {
        let mut world = Self::new();
        world.join("a").unwrap();
        world
    }

    /// `b` has come, and there is no target with it yet.
    fn assigning() -> Self {
        let mut world = Self::stable();
        world.join("b").unwrap();
        world
    }

    /// `b` waits for what `a` has not been told to give up.
    fn unreleased() -> Self {
        let mut world = Self::assigning();
        world.pass(1_000);
        world.beat("b").unwrap();
        world
    }

    /// `a` has been told.
    fn unrevoked() -> Self {
        let mut world = Self::unreleased();
        world.beat("a").unwrap();
        world
    }

    /// `a` is a static member and away.
    fn away() -> Self {
        let mut world = Self::new();
        let request = Self::reads("a", 0, &["clicks"]).with_topic_partitions(Some(Vec::new()));
        world.send(&request.with_instance_id(Some(text("one")))).unwrap();
        world.send(&Self::request("a", -2).with_instance_id(Some(text("one")))).unwrap();
        world
    }

    fn state(&self) -> String {
        let held =
            |held: &Held| held.values().flat_map(BTreeMap::keys).map(i32::to_string).collect::<Vec<_>>().join("");
        let member = |member: &Member| {
            let state = match member.state {
                State::Stable => "stable",
                State::UnrevokedPartitions => "unrevoked",
                State::UnreleasedPartitions => "unreleased",
            };
            let revoking =
                if member.revoking.is_empty() { String::new() } else { format!("-{}", held(&member.revoking)) };
            format!("{}@{} {state} [{}{revoking}]", member.id, member.epoch, held(&member.assigned))
        };
        let members: Vec<String> = self.group.members.values().map(member).collect();
        let group = &self.group;
        format!("{} {}/{} {}", group.state_name(), group.target_epoch, group.epoch, members.join(" "))
    }
}

fn told(result: Result<ConsumerGroupHeartbeatResponse, Refusal>) -> String {
    match result {
        Err(refusal) => format!("{:?}", refusal.code),
        Ok(response) => match response.assignment {
            None => format!("epoch {}", response.member_epoch),
            Some(it) => {
                let partitions: Vec<String> =
                    it.topic_partitions.iter().flat_map(|topic| &topic.partitions).map(i32::to_string).collect();
                format!("epoch {} [{}]", response.member_epoch, partitions.join(""))
            }
        },
    }
}

#[test]
fn every_state_answers_every_event() {
    type Start = fn() -> World;
    type Event = fn(&mut World) -> String;
    let states: [(&str, Start); 6] = [
        ("Empty", World::new),
        ("Stable", World::stable),
        ("Assigning", World::assigning),
        ("UnreleasedPartitions of b", World::unreleased),
        ("UnrevokedPartitions of a", World::unrevoked),
        ("a is away", World::away),
    ];
    let events: [(&str, Event); 19] = [
        ("a joins", |world| told(world.join("a"))),
        ("b joins", |world| told(world.join("b"))),
        ("c joins after a second", |world| {
            world.pass(1_000);
            told(world.join("c"))
        }),
        ("a beats", |world| told(world.beat("a"))),
        ("a beats after a second", |world| {
            world.pass(1_000);
            told(world.beat("a"))
        }),
        ("a owns everything", |world| told(world.owns("a", &[0, 1, 2, 3]))),
        ("a has given up the upper half", |world| told(world.owns("a", &[0, 1]))),
        ("b beats", |world| told(world.beat("b"))),
        ("a is one epoch behind", |world| {
            let epoch = world.epoch("a") - 1;
            told(world.send(&World::request("a", epoch)))
        }),
        ("a is one epoch ahead", |world| {
            let epoch = world.epoch("a") + 1;
            told(world.send(&World::request("a", epoch)))
        }),
        ("a reads nothing more", |world| {
            let epoch = world.epoch("a");
            told(world.send(&World::reads("a", epoch, &[])))
        }),
        ("a leaves", |world| told(world.send(&World::request("a", -1)))),
        ("b leaves", |world| told(world.send(&World::request("b", -1)))),
        ("c takes the place of a", |world| {
            let request = World::reads("c", 0, &["clicks"]).with_topic_partitions(Some(Vec::new()));
            told(world.send(&request.with_instance_id(Some(text("one")))))
        }),
        ("the topic is gone, a beats after a second", |world| {
            world.topics.remove("clicks");
            world.pass(1_000);
            told(world.beat("a"))
        }),
        ("a session passes", |world| {
            world.pass(45_000);
            String::new()
        }),
        ("the time to give up passes, members live", |world| {
            for _ in 0..3 {
                world.pass(20_000);
                let _ = (world.beat("a"), world.beat("b"));
            }
            String::new()
        }),
        ("another broker takes over, a session passes but for a moment", |world| {
            world.pass(44_999);
            world.group.on_loaded(&world.properties, world.now);
            world.pass(44_999);
            String::new()
        }),
        ("a commits in its epoch and in the one before", |world| {
            let epoch = world.epoch("a");
            let commit = |epoch| {
                let identity =
                    crate::broker::groups::classic::Identity { generation: epoch, member_id: "a", instance_id: None };
                match world.group.on_commit(identity, 9) {
                    Err(code) => format!("{code:?}"),
                    Ok(None) => "all".to_owned(),
                    Ok(Some(epoch)) => {
                        let may = |partition: &i32| world.group.may_commit("a", epoch, CLICKS, *partition, 9).is_ok();
                        (0..4).filter(may).map(|partition| partition.to_string()).collect()
                    }
                }
            };
            format!("{}, {}", commit(epoch), commit(epoch - 1))
        }),
    ];
    let mut table = String::new();
    for (name, start) in states {
        let state = start().state();
        writeln!(table, "{name}: {state}").unwrap();
        for (event, apply) in &events {
            let mut world = start();
            let told = apply(&mut world);
            let after = if world.state() == state { String::new() } else { format!("-> {}", world.state()) };
            let line = format!("    {event:<62} {told:<26} {after}");
            writeln!(table, "{}", line.trim_end()).unwrap();
        }
    }
    expect_file!["table.txt"].assert_eq(&table);
}

/// A member as it is: what it was told to own, and what it reports.
#[derive(Default)]
struct Client {
    epoch: i32,
    owned: BTreeSet<i32>,
    /// An answer was lost: it says everything again.
    lost: bool,
}

/// Members come, go and are slow in every order; nobody owns what somebody else does, and in the end all is owned.
#[test]
fn no_partition_ever_has_two_owners() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = World::new();
        let mut clients: BTreeMap<String, Client> = BTreeMap::new();
        let mut step = |world: &mut World, clients: &mut BTreeMap<String, Client>, quiet: bool| {
            let name = ["a", "b", "c", "d"][random.usize(..4)].to_owned();
            let Some(client) = clients.get_mut(&name) else {
                if !quiet {
                    let response = world.join(&name).unwrap();
                    let owned = owned(&response).unwrap();
                    clients.insert(name, Client { epoch: response.member_epoch, owned, lost: false });
                }
                return;
            };
            if !quiet && random.u8(..6) == 0 {
                world.send(&World::request(&name, -1)).unwrap();
                clients.remove(&name);
                return;
            }
            let topic = TopicPartitions::default()
                .with_topic_id(CLICKS)
                .with_partitions(client.owned.iter().copied().collect());
            let request = match client.lost {
                true => World::reads(&name, client.epoch, &["clicks"]),
                false => World::request(&name, client.epoch),
            };
            let request = request.with_topic_partitions(Some(vec![topic]));
            let Ok(response) = world.send(&request) else {
                // Fenced: it gives up everything and joins again.
                clients.remove(&name);
                let response = world.join(&name).unwrap();
                let owned = owned(&response).unwrap();
                clients.insert(name, Client { epoch: response.member_epoch, owned, lost: false });
                return;
            };
            // One answer in four is lost.
            client.lost = !quiet && random.u8(..4) == 0;
            if !client.lost {
                client.epoch = response.member_epoch;
                client.owned = owned(&response).unwrap_or_else(|| client.owned.clone());
            }
        };
        for _ in 0..80 {
            world.now += Duration::from_millis(400);
            step(&mut world, &mut clients, false);
            let mut all = BTreeSet::new();
            for (name, client) in &clients {
                for partition in &client.owned {
                    assert!(all.insert(*partition), "seed {seed}: {name} owns {partition} of somebody else");
                }
            }
        }
        for _ in 0..120 {
            world.now += Duration::from_millis(400);
            step(&mut world, &mut clients, true);
        }
        let owned: usize = clients.values().map(|client| client.owned.len()).sum();
        assert_eq!(owned, if clients.is_empty() { 0 } else { 4 }, "seed {seed}: {}", world.state());
        assert_eq!(world.group.state_name(), if clients.is_empty() { "Empty" } else { "Stable" }, "seed {seed}");
    }
}

fn owned(response: &ConsumerGroupHeartbeatResponse) -> Option<BTreeSet<i32>> {
    let assignment = response.assignment.as_ref()?;
    Some(assignment.topic_partitions.iter().flat_map(|topic| &topic.partitions).copied().collect())
}

#[test]
fn a_full_group_takes_nobody() {
    let mut world = World::stable();
    world.properties.consumer_max_size = 1;
    assert_eq!(world.join("b").unwrap_err().code, ErrorCode::GROUP_MAX_SIZE_REACHED);
    world.beat("a").unwrap();
}
