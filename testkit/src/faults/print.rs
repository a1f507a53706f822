//! A [`Script`] as text: one rule a line, as `parse` reads it.

use std::fmt;
use std::time::Duration;

use tidemill_protocol::{ApiKey, ErrorCode};

use super::script::{
    Conditions, ConnectFault, Corruption, Count, Effect, Fault, On, Place, Point, Probability, ReplyFault,
    RequestFault, Rule, Script, Way,
};

/// Behind what happens after a request was applied.
pub(super) const AFTER: &str = " after applying";

/// A rule a line.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rules().iter().try_for_each(|rule| writeln!(f, "{rule}"))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", self.on, self.conditions, self.fault)
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connect"),
            Self::At(time) => write!(f, "at {}", Time(*time)),
            Self::Request { apis, versions } => {
                if apis.is_empty() {
                    f.write_str("*")?;
                }
                for (number, api) in apis.iter().enumerate() {
                    write!(f, "{}{}", if number == 0 { "" } else { "," }, Api(*api))?;
                }
                match versions {
                    Some(versions) => write!(f, " v{}-{}", versions.min, versions.max),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { broker, topic, partition, group, client, host, count, probability, after, until } = self;
        if let Some(broker) = broker {
            write!(f, " broker={broker}")?;
        }
        if let Some(topic) = topic {
            write!(f, " topic={}", Name(topic))?;
            if let Some(partition) = partition {
                write!(f, "/{partition}")?;
            }
        }
        for (key, value) in [("group", group), ("client", client), ("host", host)] {
            if let Some(value) = value {
                write!(f, " {key}={}", Name(value))?;
            }
        }
        match count {
            Count::Always => {}
            Count::Times(times) => write!(f, " times={times}")?,
            Count::Nth(nth) => write!(f, " nth={nth}")?,
        }
        if let Some(probability) = probability {
            write!(f, " p={probability}")?;
        }
        for (key, time) in [("after", after), ("until", until)] {
            if let Some(time) = time {
                write!(f, " {key}={}", Time(*time))?;
            }
        }
        Ok(())
    }
}

/// As a decimal fraction.
impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ONE {
            return f.write_str("1");
        }
        let digits = format!("{:06}", self.in_millionths());
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() { f.write_str("0") } else { write!(f, "0.{digits}") }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(fault) => write!(f, "{fault}"),
            Self::Request(fault) => write!(f, "{fault}"),
            Self::Reply(fault) => write!(f, "{fault}"),
            Self::Cluster(effect, Point::Before) => write!(f, "{effect}"),
            Self::Cluster(effect, Point::After) => write!(f, "{effect}{AFTER}"),
        }
    }
}

impl fmt::Display for ConnectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse => f.write_str("refuse"),
            Self::Reset => f.write_str("reset"),
            Self::HalfOpen => f.write_str("half open"),
            Self::BlackHole => f.write_str("black hole"),
            Self::Delay(time) => write!(f, "delay {}", Time(*time)),
        }
    }
}

impl fmt::Display for RequestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(code) => write!(f, "error {}", Code(*code)),
            Self::Lose => f.write_str("lose request"),
            Self::Delay(time) => write!(f, "delay {}", Time(*time)),
            Self::Close => f.write_str("close"),
            Self::Reset => f.write_str("reset"),
            Self::BlackHole(Way::Both) => f.write_str("black hole"),
            Self::BlackHole(Way::Requests) => f.write_str("black hole requests"),
            Self::BlackHole(Way::Replies) => f.write_str("black hole replies"),
        }
    }
}

impl fmt::Display for ReplyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(code) => write!(f, "error {}{AFTER}", Code(*code)),
            Self::Lose => f.write_str("lose reply"),
            Self::Delay(time) => write!(f, "delay {}{AFTER}", Time(*time)),
            Self::Repeat => f.write_str("repeat reply"),
            Self::Swap => f.write_str("swap reply"),
            Self::Cut(place) => write!(f, "cut reply {place}"),
            Self::Corrupt(corruption) => write!(f, "corrupt {corruption}"),
            Self::Garbage(bytes) => write!(f, "garbage {bytes}"),
            Self::WrongCorrelationId => f.write_str("wrong correlation id"),
            Self::OneByteWrites => f.write_str("one-byte writes"),
            Self::Throttle { time, mute } => write!(f, "throttle {}{}", Time(*time), if *mute { " mute" } else { "" }),
            Self::Close => write!(f, "close{AFTER}"),
            Self::Reset => write!(f, "reset{AFTER}"),
            Self::BlackHole => write!(f, "black hole{AFTER}"),
            Self::EmptyMetadata => f.write_str("empty metadata"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(byte) => write!(f, "at {byte}"),
            Self::Anywhere => f.write_str("anywhere"),
        }
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(place) => write!(f, "byte {place}"),
            Self::Length => f.write_str("length"),
            Self::Crc => f.write_str("crc"),
            Self::Count => f.write_str("count"),
            Self::Codec => f.write_str("codec"),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MoveLeader { of, to } => {
                f.write_str("move leader")?;
                if let Some((topic, partition)) = of {
                    write!(f, " of {}/{partition}", Name(topic))?;
                }
                write_to(f, *to)
            }
            Self::MoveGroupCoordinator { of, to } => {
                f.write_str("move group coordinator")?;
                write_name(f, " of", of.as_deref())?;
                write_to(f, *to)
            }
            Self::MoveTransactionCoordinator { of, to } => {
                f.write_str("move transaction coordinator")?;
                write_name(f, " of", of.as_deref())?;
                write_to(f, *to)
            }
            Self::Crash { broker, keeps_tail } => {
                f.write_str("crash")?;
                write_broker(f, *broker)?;
                f.write_str(if *keeps_tail { " keeping tail" } else { " losing tail" })
            }
            Self::Start { broker } => write!(f, "start broker {broker}"),
            Self::HoldMarkers => f.write_str("hold markers"),
            Self::ReleaseMarkers => f.write_str("release markers"),
            Self::RecreateTopic { topic } => write_name(f, "recreate topic", topic.as_deref()),
            Self::DeleteTopic { topic } => write_name(f, "delete topic", topic.as_deref()),
            Self::EvictGroup { group } => write_name(f, "evict group", group.as_deref()),
            Self::JumpClock { ms } => {
                let sign = if *ms < 0 { '-' } else { '+' };
                write!(f, "jump clock {sign}{}", Time(Duration::from_millis(ms.unsigned_abs())))
            }
            Self::StaleMetadata { broker } => {
                f.write_str("stale metadata")?;
                write_broker(f, *broker)
            }
            Self::Part { from, to, both_ways } => {
                write!(f, "part broker {from} from broker {to}{}", if *both_ways { " both ways" } else { "" })
            }
            Self::Heal => f.write_str("heal"),
            Self::ExpireSession => f.write_str("expire session"),
            Self::LimitVersions { api, versions } => {
                write!(f, "limit {} to v{}-{}", Api(*api), versions.min, versions.max)
            }
        }
    }
}

fn write_to(f: &mut fmt::Formatter<'_>, to: Option<i32>) -> fmt::Result {
    to.map_or(Ok(()), |to| write!(f, " to {to}"))
}

fn write_broker(f: &mut fmt::Formatter<'_>, broker: Option<i32>) -> fmt::Result {
    broker.map_or(Ok(()), |broker| write!(f, " broker {broker}"))
}

fn write_name(f: &mut fmt::Formatter<'_>, before: &str, name: Option<&str>) -> fmt::Result {
    match name {
        Some(name) => write!(f, "{before} {}", Name(name)),
        // `of` is left out with what it would name.
        None => f.write_str(before.trim_start_matches(" of")),
    }
}

/// A name as it is, or in quotes.
struct Name<'a>(&'a str);

/// Whether a name needs no quotes.
pub(super) fn is_plain(name: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    // A number or a word of the language could also be meant where a name may be left out.
    !name.is_empty() && name.bytes().all(is_inside) && !matches!(name, "to" | "after")
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(self.0) {
            return f.write_str(self.0);
        }
        f.write_str("\"")?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                _ => write!(f, "{character}")?,
            }
        }
        f.write_str("\"")
    }
}

/// A time in the largest unit that says it exactly.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        if nanos == 0 && seconds > 0 && seconds % 3600 == 0 {
            write!(f, "{}h", seconds / 3600)
        } else if nanos == 0 && seconds > 0 && seconds % 60 == 0 {
            write!(f, "{}m", seconds / 60)
        } else if nanos == 0 {
            write!(f, "{seconds}s")
        } else if nanos % 1_000_000 == 0 {
            write!(f, "{}ms", self.0.as_millis())
        } else if nanos % 1000 == 0 {
            write!(f, "{}us", self.0.as_micros())
        } else {
            write!(f, "{}ns", self.0.as_nanos())
        }
    }
}

/// An API by its name, or its number where it has none.
struct Api(ApiKey);

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0.0),
        }
    }
}

/// An error code by its name, or its number where it has none.
struct Code(ErrorCode);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0.0),
        }
    }
}
