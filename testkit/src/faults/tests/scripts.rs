//! Scripts as text: what is printed is read as the same, and what cannot be read is explained.

use std::time::Duration;

use expect_test::expect;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::{ApiKey, ErrorCode};

use crate::faults::phrase;
use crate::faults::{
    Conditions, ConnectFault, Corruption, Count, Effect, Fault, On, Place, Point, Probability, ReplyFault,
    RequestFault, Rule, Script, Way,
};

#[test]
fn a_script_reads_as_it_is_meant() {
    let text = "
        # The answer of one Produce is lost.
        produce broker=2 topic=clicks/0 times=1: lose reply
        fetch client=a p=0.1 : delay 200ms
        * broker=1 after=5s until=8s: black hole # both ways
    ";
    let script: Script = text.parse().unwrap();
    let mut delay =
        Rule::new(On::request(ApiKey::FETCH), Fault::Request(RequestFault::Delay(Duration::from_millis(200))));
    delay.conditions.client = Some("a".to_owned());
    delay.conditions.probability = Probability::millionths(100_000);
    let mut hole = Rule::new(On::any_request(), Fault::Request(RequestFault::BlackHole(Way::Both))).broker(1);
    hole.conditions.after = Some(Duration::from_secs(5));
    hole.conditions.until = Some(Duration::from_secs(8));
    let lost = Rule::new(On::request(ApiKey::PRODUCE), Fault::Reply(ReplyFault::Lose));
    assert_eq!(script.rules(), [lost.broker(2).topic_partition("clicks", 0).times(1), delay, hole]);
    expect![[r"
        Produce broker=2 topic=clicks/0 times=1: lose reply
        Fetch client=a p=0.1: delay 200ms
        * broker=1 after=5s until=8s: black hole
    "]]
    .assert_eq(&script.to_string());
}

#[test]
fn what_cannot_be_read_is_explained() {
    let scripts = [
        "prduce: lose reply",
        "produce broker=x: lose reply",
        "produce borker=1: lose reply",
        "produce times=1 nth=2: lose reply",
        "produce lose reply",
        "produce times=1",
        "produce: loose reply",
        "produce: lose",
        "produce: lose answer",
        "produce: lose reply twice",
        "produce: error NOT_LEADER_OR_FOLOWER",
        "produce: delay 1.5s",
        "produce p=2: lose reply",
        "produce topic=a b: lose reply",
        "produce topic=\"a b: lose reply",
        "produce topic=a/x: lose reply",
        "produce v8-3: lose reply",
        "connect: lose reply",
        "connect topic=a: refuse",
        "at 5s: lose reply",
        "at 5s: move leader to 2",
        "at 5s broker=1: heal",
        "at 5s: heal after applying",
        "fetch: jump clock 1h",
        "fetch: crash broker 1",
    ];
    let errors: String =
        scripts.iter().map(|script| format!("{}\n", format!("\n{script}").parse::<Script>().unwrap_err())).collect();
    expect![[r#"
        line 2, column 1: there is no API `prduce`; did you mean `Produce`?
          prduce: lose reply
          ^
        line 2, column 16: the id of a broker is expected here, and not `x`
          produce broker=x: lose reply
                         ^
        line 2, column 9: there is no condition `borker` here; did you mean `broker`? (there are broker, topic, group, client, host, times, nth, p, after, until)
          produce borker=1: lose reply
                  ^
        line 2, column 17: `nth` is one condition too many: each stands once, and either `times` or `nth`
          produce times=1 nth=2: lose reply
                          ^
        line 2, column 9: a condition, such as `broker=1`, or a colon is expected here, and not `lose`
          produce lose reply
                  ^
        line 2, column 16: a colon and a fault are expected here, as in `: lose reply`
          produce times=1
                         ^
        line 2, column 10: `loose` begins no fault; did you mean `lose`?; here there may be: error, lose, delay, close, reset, black hole, repeat reply, swap reply, cut reply, corrupt, garbage, wrong correlation id, one-byte writes, throttle, empty metadata, move leader, move group coordinator, move transaction coordinator, crash, start broker, hold markers, release markers, recreate topic, delete topic, evict group, jump clock, stale metadata, part broker, heal, expire session, limit
          produce: loose reply
                   ^
        line 2, column 14: `request` or `reply` is expected here
          produce: lose
                       ^
        line 2, column 15: `request` or `reply` is expected here, and not `answer`
          produce: lose answer
                        ^
        line 2, column 21: nothing more is expected here, and there is `twice`
          produce: lose reply twice
                              ^
        line 2, column 16: there is no error code `NOT_LEADER_OR_FOLOWER`; did you mean `NOT_LEADER_OR_FOLLOWER`?
          produce: error NOT_LEADER_OR_FOLOWER
                         ^
        line 2, column 16: a time is expected here (a whole number and one of ns, us, ms, s, m, h), and not `1.5s`
          produce: delay 1.5s
                         ^
        line 2, column 11: a number from 0 to 1, of at most six decimals, is expected here, and not `2`
          produce p=2: lose reply
                    ^
        line 2, column 17: a condition, such as `broker=1`, or a colon is expected here, and not `b`
          produce topic=a b: lose reply
                          ^
        line 2, column 15: this quote is not closed
          produce topic="a b: lose reply
                        ^
        line 2, column 17: the number of a partition is expected here, and not `x`
          produce topic=a/x: lose reply
                          ^
        line 2, column 9: versions such as v3-8 are expected here, and not `v8-3`
          produce v8-3: lose reply
                  ^
        line 2, column 10: `lose` begins no fault; here there may be: refuse, reset, half open, black hole, delay
          connect: lose reply
                   ^
        line 2, column 9: there is no condition `topic` here (there are broker, host, times, nth, p, after, until)
          connect topic=a: refuse
                  ^
        line 2, column 8: `lose` begins no fault; did you mean `move`?; here there may be: move leader, move group coordinator, move transaction coordinator, crash, start broker, hold markers, release markers, recreate topic, delete topic, evict group, jump clock, stale metadata, part broker, heal, expire session, limit
          at 5s: lose reply
                 ^
        line 2, column 8: there is no request here that says it: name the partition, as in `move leader of clicks/0`
          at 5s: move leader to 2
                 ^
        line 2, column 7: a colon is expected here, and not `broker=1`
          at 5s broker=1: heal
                ^
        line 2, column 13: nothing more is expected here, and there is `after`
          at 5s: heal after applying
                      ^
        line 2, column 19: a time with its sign is expected here, and not `1h`
          fetch: jump clock 1h
                            ^
        line 2, column 22: `keeping` or `losing` is expected here
          fetch: crash broker 1
                               ^
    "#]].assert_eq(&errors);
}

#[test]
fn a_rule_alone_is_one_line() {
    let rule: Rule = "produce times=1: lose reply".parse().unwrap();
    assert_eq!(rule, Rule::new(On::request(ApiKey::PRODUCE), Fault::Reply(ReplyFault::Lose)).times(1));
    assert!("".parse::<Rule>().unwrap_err().reason.starts_with("a rule is expected"));
    assert_eq!("*: close\n*: close".parse::<Rule>().unwrap_err().reason, "one rule is expected, and there are 2");
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9._-]{1,8}",
        "\\PC{0,6}",
        "[\\PC\n\r\t#:\"\\\\/ ]{0,6}",
        Just("to".to_owned()),
        Just("after".to_owned())
    ]
}

fn time() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0_u32..1_000_000_000, 0..4).prop_map(|(seconds, nanos, unit)| match unit {
        0 => Duration::from_secs(seconds),
        1 => Duration::from_millis(seconds),
        2 => Duration::from_micros(seconds),
        _ => Duration::new(seconds / 4, nanos),
    })
}

fn api() -> impl Strategy<Value = ApiKey> {
    any::<i16>().prop_map(ApiKey).boxed().prop_union(proptest::sample::select(ApiKey::ALL).boxed())
}

fn versions() -> impl Strategy<Value = VersionRange> {
    (0..=i16::MAX, 0..=i16::MAX).prop_map(|(one, other)| VersionRange::new(one.min(other), one.max(other)))
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![any::<u32>().prop_map(Place::At), Just(Place::Anywhere)]
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let count =
        prop_oneof![Just(Count::Always), any::<u64>().prop_map(Count::Times), any::<u64>().prop_map(Count::Nth)];
    let probability = (0..=1_000_000_u32).prop_map(|millionths| Probability::millionths(millionths).unwrap());
    let topic = option::of((name(), option::of(any::<i32>())));
    (
        (option::of(any::<i32>()), topic, option::of(name()), option::of(name()), option::of(name())),
        (count, option::of(probability), option::of(time()), option::of(time())),
    )
        .prop_map(|((broker, topic, group, client, host), (count, probability, after, until))| {
            let (topic, partition) = topic.map_or((None, None), |(topic, partition)| (Some(topic), partition));
            Conditions { broker, topic, partition, group, client, host, count, probability, after, until }
        })
}

fn connect_fault() -> impl Strategy<Value = ConnectFault> {
    prop_oneof![
        Just(ConnectFault::Refuse),
        Just(ConnectFault::Reset),
        Just(ConnectFault::HalfOpen),
        Just(ConnectFault::BlackHole),
        time().prop_map(ConnectFault::Delay),
    ]
}

fn request_fault() -> impl Strategy<Value = RequestFault> {
    prop_oneof![
        any::<i16>().prop_map(|code| RequestFault::Error(ErrorCode(code))),
        (-1..140_i16).prop_map(|code| RequestFault::Error(ErrorCode(code))),
        Just(RequestFault::Lose),
        time().prop_map(RequestFault::Delay),
        Just(RequestFault::Close),
        Just(RequestFault::Reset),
        Just(RequestFault::BlackHole(Way::Both)),
        Just(RequestFault::BlackHole(Way::Requests)),
        Just(RequestFault::BlackHole(Way::Replies)),
    ]
}

fn reply_fault() -> impl Strategy<Value = ReplyFault> {
    let corruption = prop_oneof![
        place().prop_map(Corruption::Byte),
        Just(Corruption::Length),
        Just(Corruption::Crc),
        Just(Corruption::Count),
        Just(Corruption::Codec)
    ];
    prop_oneof![
        (-1..140_i16).prop_map(|code| ReplyFault::Error(ErrorCode(code))),
        Just(ReplyFault::Lose),
        time().prop_map(ReplyFault::Delay),
        Just(ReplyFault::Repeat),
        Just(ReplyFault::Swap),
        place().prop_map(ReplyFault::Cut),
        corruption.prop_map(ReplyFault::Corrupt),
        any::<u32>().prop_map(ReplyFault::Garbage),
        Just(ReplyFault::WrongCorrelationId),
        Just(ReplyFault::OneByteWrites),
        (time(), any::<bool>()).prop_map(|(time, mute)| ReplyFault::Throttle { time, mute }),
        Just(ReplyFault::Close),
        Just(ReplyFault::Reset),
        Just(ReplyFault::BlackHole),
        Just(ReplyFault::EmptyMetadata),
    ]
}

/// What is left out comes from a request: it can be said only where there is one.
fn effect(request: bool) -> BoxedStrategy<Effect> {
    fn given<T: Clone + std::fmt::Debug + 'static>(
        request: bool,
        value: impl Strategy<Value = T> + 'static,
    ) -> BoxedStrategy<Option<T>> {
        if request { option::of(value).boxed() } else { value.prop_map(Some).boxed() }
    }
    let to = || option::of(any::<i32>());
    let broker = || given(request, any::<i32>());
    let session = if request { Effect::ExpireSession } else { Effect::Heal };
    prop_oneof![
        (given(request, (name(), any::<i32>())), to()).prop_map(|(of, to)| Effect::MoveLeader { of, to }),
        (given(request, name()), to()).prop_map(|(of, to)| Effect::MoveGroupCoordinator { of, to }),
        (given(request, name()), to()).prop_map(|(of, to)| Effect::MoveTransactionCoordinator { of, to }),
        (broker(), any::<bool>()).prop_map(|(broker, keeps_tail)| Effect::Crash { broker, keeps_tail }),
        any::<i32>().prop_map(|broker| Effect::Start { broker }),
        Just(Effect::HoldMarkers),
        Just(Effect::ReleaseMarkers),
        given(request, name()).prop_map(|topic| Effect::RecreateTopic { topic }),
        given(request, name()).prop_map(|topic| Effect::DeleteTopic { topic }),
        given(request, name()).prop_map(|group| Effect::EvictGroup { group }),
        any::<i64>().prop_map(|ms| Effect::JumpClock { ms }),
        broker().prop_map(|broker| Effect::StaleMetadata { broker }),
        (any::<i32>(), any::<i32>(), any::<bool>()).prop_map(|(from, to, both_ways)| Effect::Part {
            from,
            to,
            both_ways
        }),
        Just(Effect::Heal),
        Just(session),
        (api(), versions()).prop_map(|(api, versions)| Effect::LimitVersions { api, versions }),
    ]
    .boxed()
}

fn rule() -> impl Strategy<Value = Rule> {
    let request =
        (vec(api(), 0..3), option::of(versions())).prop_map(|(apis, versions)| On::Request { apis, versions });
    let fault = prop_oneof![
        request_fault().prop_map(Fault::Request),
        reply_fault().prop_map(Fault::Reply),
        (effect(true), any::<bool>())
            .prop_map(|(effect, after)| { Fault::Cluster(effect, if after { Point::After } else { Point::Before }) }),
    ];
    prop_oneof![
        3 => (request, conditions(), fault).prop_map(|(on, conditions, fault)| Rule { on, conditions, fault }),
        1 => (conditions(), connect_fault()).prop_map(|(conditions, fault)| Rule {
            on: On::Connect,
            conditions: Conditions { topic: None, partition: None, group: None, client: None, ..conditions },
            fault: Fault::Connect(fault),
        }),
        1 => (time(), effect(false)).prop_map(|(time, effect)| {
            Rule::new(On::At(time), Fault::Cluster(effect, Point::Before))
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_reads_as_the_same(rules in vec(rule(), 0..5)) {
        let script = Script::new(rules);
        let text = script.to_string();
        let read = text.parse::<Script>().map_err(|error| TestCaseError::fail(format!("{text}{error}")))?;
        prop_assert_eq!(&read, &script, "{}", text);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(\\PC|[\n:=/\" ]|produce|error|topic|cut reply|at|v[0-9])*") {
        let _ = text.parse::<Script>();
    }
}

/// The table of all faults at the head of the module.
#[test]
fn every_fault_is_in_the_table_and_every_example_of_it_is_read() {
    let head = include_str!("../mod.rs");
    let rows = head.lines().filter_map(|line| line.strip_prefix("//! | `")?.split_once('`'));
    let examples: Vec<&str> = rows.map(|(example, _)| example).filter(|example| example.contains(": ")).collect();
    for example in &examples {
        let rule: Rule = example.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(rule.to_string(), *example);
    }
    let faults: Vec<&str> =
        examples.iter().filter_map(|example| example.split_once(": ")).map(|(_, fault)| fault).collect();
    for phrase in [phrase::CONNECT, phrase::REQUEST, phrase::EFFECTS].concat() {
        assert!(faults.iter().any(|fault| fault.starts_with(phrase)), "no example of `{phrase}`");
    }
    // And the script in front of the tables.
    let script: String = head
        .split("```")
        .nth(1)
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| format!("{}\n", line.trim_start_matches("//! ").trim_start_matches("//!")))
        .collect();
    assert_eq!(script.parse::<Script>().unwrap().rules().len(), 4, "{script}");
}
