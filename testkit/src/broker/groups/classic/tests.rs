//! The group's table: every state by every event.

use std::fmt::Write as _;

use expect_test::expect_file;

use super::super::super::{GroupProperties, Token};
use super::*;

const ONE: Token = Token(1);
const TWO: Token = Token(2);
const THREE: Token = Token(3);
/// Who asks in the event of a row.
const ASKER: Token = Token(9);

/// A group of three: `one`, which leads, `two`, and the static member `three`.
struct World {
    group: ClassicGroup,
    now: Instant,
    answers: Vec<(Token, GroupAnswer)>,
}

#[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
fn start() -> Instant {
    Instant::now()
}

fn join(token: Token, id: &str, says: &'static str) -> Join {
    Join {
        asked: Asked { token, version: 9 },
        member_id: StrBytes::from_string(id.to_owned()),
        instance_id: id.starts_with("three").then(|| StrBytes::from_static_str("third")),
        client_id: StrBytes::from_static_str("client"),
        client_host: StrBytes::from_static_str("/127.0.0.1"),
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(60),
        protocol_type: StrBytes::from_static_str(CONSUMER),
        protocols: vec![(StrBytes::from_static_str("range"), Bytes::from_static(says.as_bytes()))],
    }
}

fn asked(token: Token) -> Asked {
    Asked { token, version: 5 }
}

impl World {
    fn empty() -> Self {
        Self { group: ClassicGroup::new(), now: start(), answers: Vec::new() }
    }

    /// The first member of three waits for its generation.
    fn initial() -> Self {
        let mut world = Self::empty();
        world.act(|group, out| {
            group.members.add_pending(StrBytes::from_static_str("one"), out.now + Duration::from_secs(10));
            group.on_join(join(ONE, "one", "a"), StrBytes::new(), out);
        });
        world
    }

    fn completing() -> Self {
        let mut world = Self::initial();
        world.act(|group, out| {
            group.members.add_pending(StrBytes::from_static_str("two"), out.now + Duration::from_secs(10));
            group.on_join(join(TWO, "two", "a"), StrBytes::new(), out);
            let mut third = join(THREE, "three", "a");
            third.member_id = StrBytes::new();
            group.on_join(third, StrBytes::from_static_str("three"), out);
            group.on_time(out);
        });
        assert_eq!(world.group.state_name(), "CompletingRebalance");
        world
    }

    /// The follower waits for the plan.
    fn syncing() -> Self {
        let mut world = Self::completing();
        world.sync(TWO, "two");
        world
    }

    fn stable() -> Self {
        let mut world = Self::syncing();
        world.sync(ONE, "one");
        world.sync(THREE, "three");
        world
    }

    /// The plan is there, and two have not asked for it.
    fn unsynced() -> Self {
        let mut world = Self::completing();
        world.sync(ONE, "one");
        world
    }

    /// The follower has joined again, the others have not.
    fn preparing() -> Self {
        let mut world = Self::stable();
        world.act(|group, out| group.on_join(join(TWO, "two", "b"), StrBytes::new(), out));
        assert_eq!(world.group.state_name(), "PreparingRebalance");
        world
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut ClassicGroup, &mut Outbox<'_>) -> T) -> T {
        act(
            &mut self.group,
            &mut Outbox {
                now: self.now,
                unix_ms: 0,
                properties: &GroupProperties::default(),
                answers: &mut self.answers,
            },
        )
    }

    fn sync(&mut self, token: Token, id: &str) {
        let request = SyncGroupRequest::default()
            .with_generation_id(self.group.generation)
            .with_member_id(StrBytes::from_string(id.to_owned()));
        self.act(|group, out| group.on_sync(request, asked(token), out));
    }

    fn identity(&self, id: &'static str) -> Identity<'static> {
        Identity { generation: self.group.generation, member_id: id, instance_id: None }
    }

    fn leave(&mut self, id: &str) -> String {
        let leaving = [MemberIdentity::default().with_member_id(StrBytes::from_string(id.to_owned()))];
        let results = self.act(|group, out| group.on_leave(&leaving, out));
        results.into_iter().map(told).collect()
    }

    fn state(&self) -> String {
        let details = match self.group.state {
            State::PreparingRebalance { initial: Some(_), .. } => ", initial",
            State::Stable { sync_until: Some(_) } => ", unsynced",
            State::Empty
            | State::PreparingRebalance { initial: None, .. }
            | State::CompletingRebalance { .. }
            | State::Stable { sync_until: None } => "",
        };
        format!("{}{details} {}", self.group.state_name(), self.group.generation)
    }
}

fn told(result: Result<(), ErrorCode>) -> String {
    match result {
        Ok(()) => "ok".to_owned(),
        Err(code) => code.name().unwrap().to_owned(),
    }
}

fn answer(token: Token, answer: &GroupAnswer) -> String {
    let who = match token {
        ONE => "one",
        TWO => "two",
        THREE => "three",
        _ => "asker",
    };
    let (what, code) = match answer {
        GroupAnswer::Join(response) if response.error_code == 0 => {
            let leads = if response.leader == response.member_id { " leads" } else { "" };
            let skips = if response.skip_assignment { " skips" } else { "" };
            return format!("{who} joins {}{leads}{skips}", response.generation_id);
        }
        GroupAnswer::Join(response) => ("join", response.error_code),
        GroupAnswer::Sync(response) if response.error_code == 0 => return format!("{who} syncs"),
        GroupAnswer::Sync(response) => ("sync", response.error_code),
    };
    format!("{who} {what} {}", ErrorCode(code).name().unwrap())
}

/// Every state by every event: what the event is told, where it leads, and whose request is answered.
#[test]
fn the_table_of_states_and_events() {
    type Start = fn() -> World;
    let states: [(&str, Start); 7] = [
        ("Empty", World::empty),
        ("PreparingRebalance, initial: one waits", World::initial),
        ("PreparingRebalance: two waits, one and three are awaited", World::preparing),
        ("CompletingRebalance: nobody has synced", World::completing),
        ("CompletingRebalance: two waits for the plan", World::syncing),
        ("Stable: two and three have not synced", World::unsynced),
        ("Stable", World::stable),
    ];
    type Event = fn(&mut World) -> String;
    fn join_as(world: &mut World, id: &'static str, new_id: &'static str, says: &'static str) -> String {
        let mut join = join(ASKER, if id.is_empty() { new_id } else { id }, says);
        join.member_id = StrBytes::from_static_str(id);
        world.act(|group, out| group.on_join(join, StrBytes::from_static_str(new_id), out));
        waits(world)
    }
    fn sync_as(world: &mut World, id: &str) -> String {
        world.sync(ASKER, id);
        waits(world)
    }
    fn waits(world: &World) -> String {
        let answered = world.answers.iter().any(|(token, _)| *token == ASKER);
        if answered { String::new() } else { "waits".to_owned() }
    }
    fn after(world: &mut World, seconds: u64) -> String {
        world.now += Duration::from_secs(seconds);
        world.act(|group, out| group.on_time(out));
        String::new()
    }
    let events: [(&str, Event); 27] = [
        ("a stranger joins", |world| join_as(world, "", "four", "a")),
        ("a stranger joins with the id it was given", |world| {
            world.group.members.add_pending(StrBytes::from_static_str("four"), world.now + Duration::from_secs(10));
            join_as(world, "four", "", "a")
        }),
        ("a stranger of another protocol joins", |world| {
            let mut join = join(ASKER, "", "a");
            join.protocols[0].0 = StrBytes::from_static_str("sticky");
            world.act(|group, out| group.on_join(join, StrBytes::from_static_str("four"), out));
            String::new()
        }),
        ("an old member joins", |world| join_as(world, "gone", "", "a")),
        ("the leader joins, same", |world| join_as(world, "one", "", "a")),
        ("a follower joins, same", |world| join_as(world, "two", "", "a")),
        ("a follower joins, other", |world| join_as(world, "two", "", "c")),
        ("the static member restarts", |world| join_as(world, "", "three again", "a")),
        ("the leader syncs", |world| sync_as(world, "one")),
        ("a follower syncs", |world| sync_as(world, "two")),
        ("a stranger syncs", |world| sync_as(world, "four")),
        ("a follower's heartbeat", |world| {
            let identity = world.identity("two");
            told(world.group.on_heartbeat(identity, world.now))
        }),
        ("a heartbeat of an old generation", |world| {
            let identity = Identity { generation: 0, ..world.identity("two") };
            told(world.group.on_heartbeat(identity, world.now))
        }),
        ("a follower commits", |world| {
            let identity = world.identity("two");
            told(world.group.on_commit(identity, world.now))
        }),
        ("a follower of an old generation commits", |world| {
            let identity = Identity { generation: 0, ..world.identity("two") };
            told(world.group.on_commit(identity, world.now))
        }),
        ("somebody outside commits", |world| {
            let identity = Identity { generation: -1, member_id: "", instance_id: None };
            told(world.group.on_commit(identity, world.now))
        }),
        ("the leader leaves", |world| world.leave("one")),
        ("a follower leaves", |world| world.leave("two")),
        ("everybody leaves", |world| format!("{} {} {}", world.leave("one"), world.leave("two"), world.leave("three"))),
        ("a stranger leaves", |world| world.leave("four")),
        ("no time passes", |world| after(world, 0)),
        ("a session passes", |world| after(world, 10)),
        ("the time to rebalance passes, members live", |world| {
            for _ in 0..10 {
                world.now += Duration::from_secs(6);
                for id in ["one", "two", "three"] {
                    let identity = world.identity(id);
                    let _ = world.group.on_heartbeat(identity, world.now);
                }
                world.act(|group, out| group.on_time(out));
            }
            String::new()
        }),
        ("one is evicted", |world| world.act(|group, out| group.evict("one", out)).to_string()),
        ("another broker takes over", |world| {
            world.act(|group, out| group.on_moved(out));
            String::new()
        }),
        ("the group is deleted", |world| {
            told(if world.group.is_empty() { Ok(()) } else { Err(ErrorCode::NON_EMPTY_GROUP) })
        }),
        ("offsets are deleted", |world| told(world.group.on_delete_offsets())),
    ];
    let mut table = String::new();
    for (name, start) in states {
        writeln!(table, "{name}").unwrap();
        for (event, apply) in &events {
            let mut world = start();
            world.answers.clear();
            let before = world.state();
            let told = apply(&mut world);
            let after = if world.state() == before { String::new() } else { format!("-> {}", world.state()) };
            let answers: Vec<String> = world.answers.iter().map(|(token, it)| answer(*token, it)).collect();
            if told.is_empty() && after.is_empty() && answers.is_empty() {
                continue;
            }
            let line = format!("    {event:<44} {told:<22} {after:<28} {}", answers.join(", "));
            writeln!(table, "{}", line.trim_end()).unwrap();
        }
    }
    expect_file!["table.txt"].assert_eq(&table);
}
