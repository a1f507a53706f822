//! Stories of groups in virtual time.

use std::collections::BTreeMap;

use tidemill_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use tidemill_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use tidemill_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use tidemill_protocol::messages::{
    DeleteGroupsRequest, GroupId, ListGroupsRequest, OffsetCommitRequest, OffsetFetchRequest, TopicName,
};

use bytes::Bytes;
use tidemill_protocol::messages::leave_group_request::MemberIdentity;
use tidemill_protocol::messages::{HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest};

use super::*;
use crate::broker::topic_config::TopicConfig;
use crate::broker::{BrokerConfig, Caller};

const GROUP: &str = "readers";

/// The groups of a broker, a clock, and what was answered.
struct World {
    groups: Groups,
    topics: Topics,
    nodes: Nodes,
    properties: GroupProperties,
    now: Instant,
    tokens: u64,
    joined: BTreeMap<Token, JoinGroupResponse>,
    synced: BTreeMap<Token, SyncGroupResponse>,
}

#[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
fn start() -> Instant {
    Instant::now()
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn join_request(id: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
    JoinGroupRequest::default()
        .with_group_id(GroupId(text(GROUP)))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(60_000)
        .with_member_id(text(id))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

impl World {
    fn new() -> Self {
        let mut topics = Topics::default();
        topics.create("orders", uuid::Uuid::from_u128(1), vec![vec![1]], TopicConfig::new([]).unwrap()).unwrap();
        Self {
            groups: Groups::new(fastrand::Rng::with_seed(7)),
            topics,
            nodes: Nodes::new(&[BrokerConfig::default()]),
            properties: GroupProperties::default(),
            now: start(),
            tokens: 0,
            joined: BTreeMap::new(),
            synced: BTreeMap::new(),
        }
    }

    /// Lets the groups do something.
    fn act<T>(&mut self, act: impl FnOnce(&mut Groups, &Around<'_>) -> T) -> T {
        let Self { groups, topics, nodes, properties, now, .. } = self;
        act(groups, &Around { topics, nodes, properties, node_id: 1, now: *now, unix_ms: 0 })
    }

    fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    fn poll(&mut self) -> Option<Instant> {
        let mut answers = Vec::new();
        let wake_at = self.act(|groups, around| groups.poll(around, &mut answers));
        for (token, answer) in answers {
            let before = match answer {
                GroupAnswer::Join(response) => self.joined.insert(token, response).map(|_| ()),
                GroupAnswer::Sync(response) => self.synced.insert(token, response).map(|_| ()),
            };
            assert_eq!(before, None, "a request is answered once");
        }
        wake_at
    }

    /// Lets time pass as it does: the groups are asked again when they said.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(wake_at) = self.poll()
            && wake_at <= until
        {
            assert!(wake_at > self.now, "asked again for nothing");
            self.now = wake_at;
        }
        self.now = until;
        self.poll();
    }

    fn ask_join(&mut self, request: JoinGroupRequest) -> Token {
        let token = self.token();
        let caller = Caller {
            token,
            connection: crate::broker::ConnectionId(0),
            principal: "User:ANONYMOUS",
            node_id: 1,
            client_id: "client",
            client_host: "/127.0.0.1",
        };
        self.act(|groups, around| groups.handle_join(&request, 9, &caller, around));
        self.poll();
        token
    }

    /// Joins in two steps, as clients do, without waiting for the others.
    fn ask_join_new(&mut self) -> (StrBytes, Token) {
        let told = self.ask_join(join_request(""));
        assert_eq!(self.joined[&told].error_code, ErrorCode::MEMBER_ID_REQUIRED.0);
        let id = self.joined[&told].member_id.clone();
        let token = self.ask_join(join_request(&id));
        (id, token)
    }

    fn join_static(&mut self) -> (StrBytes, JoinGroupResponse) {
        let token = self.ask_join(join_request("").with_group_instance_id(Some(text("one"))));
        let response = self.joined[&token].clone();
        (response.member_id.clone(), response)
    }

    fn ask_sync(&mut self, id: &StrBytes, generation: i32, plan: &[(&StrBytes, &'static str)]) -> Token {
        let token = self.token();
        let caller = Caller {
            token,
            connection: crate::broker::ConnectionId(0),
            principal: "User:ANONYMOUS",
            node_id: 1,
            client_id: "client",
            client_host: "/127.0.0.1",
        };
        let share = |(id, share): &(&StrBytes, &'static str)| {
            SyncGroupRequestAssignment::default()
                .with_member_id((*id).clone())
                .with_assignment(Bytes::from_static(share.as_bytes()))
        };
        let request = SyncGroupRequest::default()
            .with_group_id(GroupId(text(GROUP)))
            .with_generation_id(generation)
            .with_member_id(id.clone())
            .with_assignments(plan.iter().map(share).collect());
        self.act(|groups, around| groups.handle_sync(request, 4, &caller, around));
        self.poll();
        token
    }

    /// What a member is to read, or why it is not told.
    fn share(&self, token: Token) -> Result<&str, ErrorCode> {
        let response = &self.synced[&token];
        ErrorCode(response.error_code).into_result()?;
        Ok(std::str::from_utf8(&response.assignment).unwrap())
    }

    fn beat(&mut self, id: &StrBytes, generation: i32) -> ErrorCode {
        let request = HeartbeatRequest::default()
            .with_group_id(GroupId(text(GROUP)))
            .with_generation_id(generation)
            .with_member_id(id.clone());
        let response = self.act(|groups, around| groups.handle_heartbeat(&request, around));
        self.poll();
        ErrorCode(response.error_code)
    }

    fn leave(&mut self, id: &StrBytes) -> ErrorCode {
        let member = MemberIdentity::default().with_member_id(id.clone());
        let request = LeaveGroupRequest::default().with_group_id(GroupId(text(GROUP))).with_members(vec![member]);
        let response = self.act(|groups, around| groups.handle_leave(request, 5, around));
        self.poll();
        ErrorCode(response.members[0].error_code)
    }

    fn commit(&mut self, id: &str, generation: i32, offset: i64) -> ErrorCode {
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic =
            OffsetCommitRequestTopic::default().with_name(TopicName(text("orders"))).with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(GROUP)))
            .with_generation_id_or_member_epoch(generation)
            .with_member_id(text(id))
            .with_topics(vec![topic]);
        let response = self.act(|groups, around| groups.handle_commit(&request, 8, Vec::new(), around));
        ErrorCode(response.topics[0].partitions[0].error_code)
    }

    /// What is committed for partition 0, when anything is.
    fn committed(&mut self) -> Option<i64> {
        let request = OffsetFetchRequest::default().with_group_id(GroupId(text(GROUP))).with_topics(None);
        let response = self.act(|groups, around| groups.handle_offset_fetch(request, 7, around));
        response.topics.first().map(|topic| topic.partitions[0].committed_offset)
    }

    fn delete(&mut self, request: DeleteGroupsRequest) -> tidemill_protocol::messages::DeleteGroupsResponse {
        self.act(|groups, around| groups.handle_delete(request, around))
    }

    fn state(&mut self) -> String {
        let response = self.act(|groups, around| groups.handle_list(&ListGroupsRequest::default(), around));
        response.groups.first().map(|group| group.group_state.to_string()).unwrap_or_default()
    }

    /// A group of one, in generation 1.
    fn one_member() -> (Self, StrBytes) {
        let mut world = Self::new();
        let (first, joined) = world.ask_join_new();
        assert_eq!(world.joined[&joined].leader, first);
        let synced = world.ask_sync(&first, 1, &[(&first, "all")]);
        assert_eq!(world.share(synced), Ok("all"));
        (world, first)
    }

    /// A group of two, in generation 2; the first leads.
    fn two_members() -> (Self, StrBytes, StrBytes) {
        let (mut world, first) = Self::one_member();
        let (second, joined) = world.ask_join_new();
        assert!(!world.joined.contains_key(&joined), "it waits for the first to join again");
        assert_eq!(world.beat(&first, 1), ErrorCode::REBALANCE_IN_PROGRESS);
        world.ask_join(join_request(&first));
        assert_eq!(world.joined[&joined].generation_id, 2);
        let leads = world.ask_sync(&first, 2, &[(&first, "half"), (&second, "other half")]);
        let follows = world.ask_sync(&second, 2, &[]);
        assert_eq!((world.share(leads), world.share(follows)), (Ok("half"), Ok("other half")));
        (world, first, second)
    }
}

#[test]
fn two_members_join_and_share() {
    let (mut world, first, second) = World::two_members();
    assert_eq!(world.state(), "Stable");
    assert_eq!((world.beat(&first, 2), world.beat(&second, 2)), (ErrorCode::NONE, ErrorCode::NONE));
}

#[test]
fn only_the_leader_is_told_who_the_others_are() {
    let (mut world, first, second) = World::two_members();
    let leads = world.ask_join(join_request(&first));
    let follows = world.ask_join(join_request(&second));
    assert_eq!((world.joined[&leads].members.len(), world.joined[&follows].members.len()), (2, 0));
}

#[test]
fn a_follower_that_syncs_first_waits_for_the_leader() {
    let (mut world, first, second) = World::two_members();
    world.ask_join(join_request(&first));
    world.ask_join(join_request(&second));
    let follows = world.ask_sync(&second, 3, &[]);
    assert!(!world.synced.contains_key(&follows));
    world.ask_sync(&first, 3, &[(&second, "all")]);
    assert_eq!(world.share(follows), Ok("all"));
}

#[test]
fn a_leader_leaves_and_the_other_leads() {
    let (mut world, first, second) = World::two_members();
    assert_eq!(world.leave(&first), ErrorCode::NONE);
    assert_eq!(world.beat(&second, 2), ErrorCode::REBALANCE_IN_PROGRESS);
    let joined = world.ask_join(join_request(&second));
    assert_eq!((world.joined[&joined].leader.clone(), world.joined[&joined].generation_id), (second.clone(), 3));
    assert_eq!(world.leave(&second), ErrorCode::NONE);
    assert_eq!(world.state(), "Empty");
}

#[test]
fn a_member_that_falls_silent_loses_its_place_when_its_session_is_over() {
    let (mut world, first, second) = World::two_members();
    for _ in 0..3 {
        assert_eq!(world.beat(&first, 2), ErrorCode::NONE);
        world.pass(Duration::from_secs(3));
    }
    assert_eq!(world.beat(&first, 2), ErrorCode::NONE);
    world.pass(Duration::from_millis(999));
    assert_eq!(world.beat(&first, 2), ErrorCode::NONE, "the other has a millisecond left");
    world.pass(Duration::from_millis(1));
    assert_eq!(world.beat(&first, 2), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(world.beat(&second, 2), ErrorCode::UNKNOWN_MEMBER_ID);
    let joined = world.ask_join(join_request(&first));
    assert_eq!(world.joined[&joined].members.len(), 1);
}

#[test]
fn the_groups_say_to_the_instant_when_a_session_ends() {
    let (mut world, _) = World::one_member();
    assert_eq!(world.poll(), Some(world.now + Duration::from_secs(10)));
    world.pass(Duration::from_secs(10));
    assert_eq!(world.state(), "Empty");
    assert_eq!(world.poll(), None);
}

#[test]
fn a_commit_shows_that_a_member_lives() {
    let (mut world, first) = World::one_member();
    for offset in 0..5 {
        world.pass(Duration::from_secs(9));
        assert_eq!(world.commit(&first, 1, offset), ErrorCode::NONE);
    }
    assert_eq!(world.committed(), Some(4));
}

#[test]
fn a_member_that_does_not_join_again_in_time_is_left_behind() {
    let (mut world, first, second) = World::two_members();
    let joined = world.ask_join(join_request(&first));
    for _ in 0..19 {
        world.pass(Duration::from_secs(3));
        assert_eq!(world.beat(&second, 2), ErrorCode::REBALANCE_IN_PROGRESS);
    }
    assert!(!world.joined.contains_key(&joined));
    world.pass(Duration::from_secs(3));
    assert_eq!(world.joined[&joined].generation_id, 3);
    assert_eq!(world.beat(&second, 3), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn an_id_that_is_not_used_holds_up_a_rebalance_until_it_is_forgotten() {
    let (mut world, first) = World::one_member();
    let told = world.ask_join(join_request(""));
    let pending = world.joined[&told].member_id.clone();
    let joined = world.ask_join(join_request(&first));
    world.pass(Duration::from_millis(9_999));
    assert!(!world.joined.contains_key(&joined));
    world.pass(Duration::from_millis(1));
    assert_eq!(world.joined[&joined].generation_id, 2);
    let late = world.ask_join(join_request(&pending));
    assert_eq!(world.joined[&late].error_code, ErrorCode::UNKNOWN_MEMBER_ID.0);
}

#[test]
fn a_new_member_waits_for_five_minutes_at_the_most() {
    let (mut world, first) = World::one_member();
    let patient = |id: &StrBytes| join_request(id).with_rebalance_timeout_ms(600_000);
    world.ask_join(patient(&first));
    world.ask_sync(&first, 2, &[(&first, "all")]);
    let (_, joined) = world.ask_join_new();
    for _ in 0..99 {
        world.pass(Duration::from_secs(3));
        assert_eq!(world.beat(&first, 2), ErrorCode::REBALANCE_IN_PROGRESS);
    }
    assert!(!world.joined.contains_key(&joined));
    world.pass(Duration::from_secs(3));
    assert_eq!(world.joined[&joined].error_code, ErrorCode::UNKNOWN_MEMBER_ID.0);
}

#[test]
fn a_static_member_restarts_and_nobody_notices() {
    let mut world = World::new();
    let (old, _) = world.join_static();
    world.ask_sync(&old, 1, &[(&old, "all")]);
    let (new, response) = world.join_static();
    assert_eq!((response.generation_id, response.skip_assignment), (1, true));
    let synced = world.ask_sync(&new, 1, &[]);
    assert_eq!(world.share(synced), Ok("all"));
    assert_eq!((world.beat(&new, 1), world.beat(&old, 1)), (ErrorCode::NONE, ErrorCode::UNKNOWN_MEMBER_ID));
    let fenced = world.ask_join(join_request(&old).with_group_instance_id(Some(text("one"))));
    assert_eq!(world.joined[&fenced].error_code, ErrorCode::FENCED_INSTANCE_ID.0);
}

#[test]
fn a_static_member_that_is_away_keeps_its_place_for_its_session() {
    let mut world = World::new();
    let (first, _) = world.join_static();
    world.ask_sync(&first, 1, &[(&first, "all")]);
    world.pass(Duration::from_secs(9));
    assert_eq!(world.state(), "Stable");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.state(), "Empty");
}

#[test]
fn members_without_any_time_to_rebalance_do_not_keep_the_broker_busy() {
    let mut world = World::new();
    let hasty =
        |id: &str, name| join_request(id).with_rebalance_timeout_ms(-5).with_group_instance_id(Some(text(name)));
    let first = world.ask_join(hasty("", "one"));
    let first = world.joined[&first].member_id.clone();
    // It will not join again, and the other is gone before it has joined: nobody is left to lead.
    let second = world.ask_join(hasty("", "two"));
    world.pass(Duration::from_millis(1));
    let second = world.joined[&second].member_id.clone();
    assert_eq!(world.beat(&first, 2), ErrorCode::NONE);
    world.leave(&second);
    world.pass(Duration::from_millis(50));
    assert_eq!(world.state(), "PreparingRebalance");
    world.pass(Duration::from_secs(10));
    assert_eq!(world.state(), "Empty");
}

#[test]
fn an_old_generation_is_fenced() {
    let (mut world, first, second) = World::two_members();
    assert_eq!(world.commit(&second, 1, 5), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(world.beat(&first, 1), ErrorCode::ILLEGAL_GENERATION);
    let synced = world.ask_sync(&second, 1, &[]);
    assert_eq!(world.share(synced), Err(ErrorCode::ILLEGAL_GENERATION));
    assert_eq!(world.committed(), None);
}

#[test]
fn what_was_read_before_a_rebalance_can_be_committed_in_it_until_the_next_generation() {
    let (mut world, first, second) = World::two_members();
    world.ask_join(join_request(&first));
    assert_eq!(world.commit(&second, 2, 7), ErrorCode::NONE);
    world.ask_join(join_request(&second));
    assert_eq!(world.commit(&second, 2, 8), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(world.commit(&second, 3, 8), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(world.committed(), Some(7));
}

#[test]
fn offsets_outlive_the_members_and_go_with_the_group_or_the_topic() {
    let (mut world, first) = World::one_member();
    world.commit(&first, 1, 7);
    let delete = || DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(GROUP))]);
    assert_eq!(world.delete(delete()).results[0].error_code, ErrorCode::NON_EMPTY_GROUP.0);
    world.leave(&first);
    assert_eq!(world.committed(), Some(7));
    assert_eq!(world.commit("", -1, 9), ErrorCode::NONE, "an administrator may reset an empty group");
    world.groups.handle_topic_deleted("orders");
    assert_eq!(world.committed(), None);
    world.commit("", -1, 9);
    assert_eq!(world.delete(delete()).results[0].error_code, 0);
    assert_eq!((world.committed(), world.state()), (None, String::new()));
}

#[test]
fn a_group_that_is_deleted_has_nothing_left_to_do() {
    let mut world = World::new();
    world.ask_join(join_request(""));
    assert_eq!(world.state(), "Empty");
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(GROUP))]);
    assert_eq!(world.delete(delete).results[0].error_code, 0);
    assert_eq!(world.poll(), None);
}

/// Whatever members ask, in whatever order: nothing is answered twice, nobody waits longer than it may, and when all fall
/// silent the group is empty.
#[test]
fn no_order_of_requests_leaves_anybody_waiting() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = World::new();
        let mut ids = vec![StrBytes::new()];
        let (mut joins, mut syncs) = (BTreeMap::new(), BTreeMap::new());
        let mut left = BTreeSet::new();
        for _ in 0..120 {
            let at = random.usize(..ids.len());
            let (id, generation) = (ids[at].clone(), random.i32(0..6));
            match random.u8(..10) {
                0..=3 => {
                    let mut request = join_request(&id).with_rebalance_timeout_ms(random.i32(-1..30_000));
                    if random.u8(..4) == 0 {
                        request.group_instance_id = Some(text(["one", "two"][random.usize(..2)]));
                    }
                    let token = world.ask_join(request);
                    joins.insert(token, id);
                }
                4..=5 => {
                    let token = world.ask_sync(&id, generation, &[(&id, "all")]);
                    syncs.insert(token, id);
                }
                6 => drop(world.beat(&id, generation)),
                7 => {
                    world.leave(&id);
                    left.insert(id);
                }
                8 => drop(world.commit(&id, generation, 1)),
                _ => world.pass(Duration::from_millis(random.u64(..4_000))),
            }
            for response in world.joined.values() {
                if !response.member_id.is_empty() && !ids.contains(&response.member_id) {
                    ids.push(response.member_id.clone());
                }
            }
        }
        world.pass(Duration::from_secs(400));
        assert!(matches!(world.state().as_str(), "Empty" | ""), "seed {seed}: {}", world.state());
        assert_eq!(world.poll(), None, "seed {seed}");
        // Who asks again under the same id takes back what it asked before.
        let again = |asked: &BTreeMap<Token, StrBytes>, token, id| asked.range(token..).skip(1).any(|(_, it)| it == id);
        for (token, id) in &joins {
            assert!(world.joined.contains_key(token) || again(&joins, *token, id), "seed {seed}: join {token:?}");
        }
        // Who is sent away while it waits for the plan is not told.
        for (token, id) in syncs.iter().filter(|(_, id)| !left.contains(*id)) {
            assert!(world.synced.contains_key(token) || again(&syncs, *token, id), "seed {seed}: sync {token:?}");
        }
    }
}
