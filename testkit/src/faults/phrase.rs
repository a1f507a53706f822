//! The words behind the colon of a rule, to a [`Fault`].

use super::parse::{Parsed, Words, api, error_code, near, time, topic_partition, versions};
use super::script::{ConnectFault, Corruption, Effect, Fault, On, Place, Point, ReplyFault, RequestFault, Way};

pub(super) const CONNECT: &[&str] = &["refuse", "reset", "half open", "black hole", "delay"];

pub(super) const REQUEST: &[&str] = &[
    "error",
    "lose",
    "delay",
    "close",
    "reset",
    "black hole",
    "repeat reply",
    "swap reply",
    "cut reply",
    "corrupt",
    "garbage",
    "wrong correlation id",
    "one-byte writes",
    "throttle",
    "empty metadata",
];

pub(super) const EFFECTS: &[&str] = &[
    "move leader",
    "move group coordinator",
    "move transaction coordinator",
    "crash",
    "start broker",
    "hold markers",
    "release markers",
    "recreate topic",
    "delete topic",
    "evict group",
    "jump clock",
    "stale metadata",
    "part broker",
    "heal",
    "expire session",
    "limit",
];

/// What the words say, for this event.
pub(super) fn fault(on: &On, words: &mut Words<'_>) -> Parsed<Fault> {
    match on {
        On::Connect => Ok(Fault::Connect(connect(words)?)),
        On::At(_) => Ok(Fault::Cluster(known(effect(words)?, words, &[EFFECTS])?, Point::Before)),
        On::Request { .. } => {
            if let Some(fault) = request(words)? {
                return Ok(fault);
            }
            let effect = known(effect(words)?, words, &[REQUEST, EFFECTS])?;
            let point = if words.take("after applying") { Point::After } else { Point::Before };
            Ok(Fault::Cluster(effect, point))
        }
    }
}

/// What was read, or that the next word begins none of these.
fn known<T>(read: Option<T>, words: &mut Words<'_>, choices: &[&[&'static str]]) -> Parsed<T> {
    if let Some(read) = read {
        return Ok(read);
    }
    let choices = choices.concat();
    let word = words.any("a fault")?;
    let next = words.peek().map(|next| format!("{} {}", word.text, next.text));
    let guess = next.map(|two| near(&two, &choices)).filter(|guess| !guess.is_empty());
    let guess = guess.unwrap_or_else(|| {
        let first: Vec<&str> = choices.iter().filter_map(|choice| choice.split(' ').next()).collect();
        near(word.text, &first)
    });
    word.wrong(format!("`{}` begins no fault{guess}; here there may be: {}", word.text, choices.join(", ")))
}

fn connect(words: &mut Words<'_>) -> Parsed<ConnectFault> {
    let fault = if words.take("refuse") {
        ConnectFault::Refuse
    } else if words.take("reset") {
        ConnectFault::Reset
    } else if words.take("half open") {
        ConnectFault::HalfOpen
    } else if words.take("black hole") {
        ConnectFault::BlackHole
    } else if words.take("delay") {
        ConnectFault::Delay(words.time()?)
    } else {
        return known(None, words, &[CONNECT]);
    };
    Ok(fault)
}

/// A fault of the request or its answer; none when the words begin neither.
fn request(words: &mut Words<'_>) -> Parsed<Option<Fault>> {
    /// A fault that has two moments.
    fn either(words: &mut Words<'_>, before: RequestFault, after: ReplyFault) -> Fault {
        if words.take("after applying") { Fault::Reply(after) } else { Fault::Request(before) }
    }
    let reply = |fault| Ok(Some(Fault::Reply(fault)));
    if words.take("error") {
        let word = words.any("an error code, such as NOT_LEADER_OR_FOLLOWER,")?;
        let code = error_code(word)?;
        return Ok(Some(either(words, RequestFault::Error(code), ReplyFault::Error(code))));
    }
    if words.take("lose") {
        let lost = match words.one_of(&["request", "reply"])? {
            "request" => Fault::Request(RequestFault::Lose),
            _ => Fault::Reply(ReplyFault::Lose),
        };
        return Ok(Some(lost));
    }
    if words.take("delay") {
        let time = words.time()?;
        return Ok(Some(either(words, RequestFault::Delay(time), ReplyFault::Delay(time))));
    }
    if words.take("close") {
        return Ok(Some(either(words, RequestFault::Close, ReplyFault::Close)));
    }
    if words.take("reset") {
        return Ok(Some(either(words, RequestFault::Reset, ReplyFault::Reset)));
    }
    if words.take("black hole") {
        if words.take("requests") {
            return Ok(Some(Fault::Request(RequestFault::BlackHole(Way::Requests))));
        }
        if words.take("replies") {
            return Ok(Some(Fault::Request(RequestFault::BlackHole(Way::Replies))));
        }
        return Ok(Some(either(words, RequestFault::BlackHole(Way::Both), ReplyFault::BlackHole)));
    }
    if words.take("repeat reply") {
        return reply(ReplyFault::Repeat);
    }
    if words.take("swap reply") {
        return reply(ReplyFault::Swap);
    }
    if words.take("cut reply") {
        return reply(ReplyFault::Cut(place(words)?));
    }
    if words.take("corrupt") {
        let corruption = match words.one_of(&["byte", "length", "crc", "count", "codec"])? {
            "byte" => Corruption::Byte(place(words)?),
            "length" => Corruption::Length,
            "crc" => Corruption::Crc,
            "count" => Corruption::Count,
            _ => Corruption::Codec,
        };
        return reply(ReplyFault::Corrupt(corruption));
    }
    if words.take("garbage") {
        return reply(ReplyFault::Garbage(words.number("a number of bytes")?));
    }
    if words.take("wrong correlation id") {
        return reply(ReplyFault::WrongCorrelationId);
    }
    if words.take("one-byte writes") {
        return reply(ReplyFault::OneByteWrites);
    }
    if words.take("throttle") {
        let time = words.time()?;
        return reply(ReplyFault::Throttle { time, mute: words.take("mute") });
    }
    if words.take("empty metadata") {
        return reply(ReplyFault::EmptyMetadata);
    }
    Ok(None)
}

fn place(words: &mut Words<'_>) -> Parsed<Place> {
    match words.one_of(&["at", "anywhere"])? {
        "at" => Ok(Place::At(words.number("the number of a byte")?)),
        _ => Ok(Place::Anywhere),
    }
}

/// What happens to the cluster; none when the words begin nothing of it.
fn effect(words: &mut Words<'_>) -> Parsed<Option<Effect>> {
    let effect = if words.take("move leader") {
        let of =
            if words.take("of") { Some(topic_partition(words.any("a partition, such as clicks/0,")?)?) } else { None };
        Effect::MoveLeader { of, to: to(words)? }
    } else if words.take("move group coordinator") {
        Effect::MoveGroupCoordinator { of: of(words, "the name of a group")?, to: to(words)? }
    } else if words.take("move transaction coordinator") {
        Effect::MoveTransactionCoordinator { of: of(words, "a transactional id")?, to: to(words)? }
    } else if words.take("crash") {
        let broker = broker(words)?;
        let keeps_tail = words.one_of(&["keeping", "losing"])? == "keeping";
        words.expect("tail")?;
        Effect::Crash { broker, keeps_tail }
    } else if words.take("start broker") {
        Effect::Start { broker: words.number("the id of a broker")? }
    } else if words.take("hold markers") {
        Effect::HoldMarkers
    } else if words.take("release markers") {
        Effect::ReleaseMarkers
    } else if words.take("recreate topic") {
        Effect::RecreateTopic { topic: maybe_name(words)? }
    } else if words.take("delete topic") {
        Effect::DeleteTopic { topic: maybe_name(words)? }
    } else if words.take("evict group") {
        Effect::EvictGroup { group: maybe_name(words)? }
    } else if words.take("jump clock") {
        Effect::JumpClock { ms: jump(words)? }
    } else if words.take("stale metadata") {
        Effect::StaleMetadata { broker: broker(words)? }
    } else if words.take("part broker") {
        let from = words.number("the id of a broker")?;
        words.expect("from broker")?;
        Effect::Part { from, to: words.number("the id of a broker")?, both_ways: words.take("both ways") }
    } else if words.take("heal") {
        Effect::Heal
    } else if words.take("expire session") {
        Effect::ExpireSession
    } else if words.take("limit") {
        let api = api(words.any("an API")?)?;
        words.expect("to")?;
        Effect::LimitVersions { api, versions: versions(words.any("versions, such as v3-8,")?)? }
    } else {
        return Ok(None);
    };
    Ok(Some(effect))
}

fn of(words: &mut Words<'_>, what: &str) -> Parsed<Option<String>> {
    if words.take("of") { words.name(what).map(Some) } else { Ok(None) }
}

fn to(words: &mut Words<'_>) -> Parsed<Option<i32>> {
    if words.take("to") { words.number("the id of a broker").map(Some) } else { Ok(None) }
}

fn broker(words: &mut Words<'_>) -> Parsed<Option<i32>> {
    if words.take("broker") { words.number("the id of a broker").map(Some) } else { Ok(None) }
}

/// A name, unless the rule ends or goes on with `after applying`.
fn maybe_name(words: &mut Words<'_>) -> Parsed<Option<String>> {
    match words.peek() {
        Some(word) if !word.is("after") => words.name("a name").map(Some),
        _ => Ok(None),
    }
}

/// A time with a sign, in milliseconds.
fn jump(words: &mut Words<'_>) -> Parsed<i64> {
    let word = words.any("a time with its sign, such as +1h or -500ms,")?;
    let unsigned = word.text.strip_prefix(['+', '-']);
    let jump = match unsigned {
        Some(text) => time(super::parse::Word { text, column: word.column + 1 })?,
        None => return word.wrong(format!("a time with its sign is expected here, and not `{}`", word.text)),
    };
    let sign = if word.text.starts_with('-') { -1 } else { 1 };
    let whole = jump.subsec_nanos().is_multiple_of(1_000_000);
    let ms = i128::try_from(jump.as_millis()).ok().filter(|_| whole).and_then(|ms| i64::try_from(sign * ms).ok());
    match ms {
        Some(ms) => Ok(ms),
        None => word.wrong("whole milliseconds, fewer than 2^63, are expected here"),
    }
}
