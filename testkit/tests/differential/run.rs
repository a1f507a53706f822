//! Sequences on both brokers: step by step, until an answer differs; and then the fewest steps that show it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tidemill_protocol::ApiKey;
use tidemill_protocol::api::VersionRange;

use crate::answer::{self, Difference};
use crate::differences;
use crate::draw::Draw;
use crate::side::{CATCH_UP_AGAIN, CATCH_UP_MAX, Said, Side};
use crate::steps::{self, Step};

/// How often a sequence has to fail in a row to be believed: a busy machine can be too late once.
const BELIEVED_AFTER: u32 = 3;

/// The two brokers.
pub(crate) struct Pair {
    pub(crate) ours: String,
    /// None where there is no real Kafka; the other is then asked alone.
    pub(crate) theirs: Option<String>,
    pub(crate) versions: BTreeMap<i16, VersionRange>,
    /// Milliseconds: when the run began.
    pub(crate) begun: i64,
}

/// What a run came to.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) sequences: u64,
    pub(crate) compared: u64,
    /// Sequences that ended at a known difference.
    pub(crate) parted: u64,
    /// Sequences that failed once and then did not.
    pub(crate) passing: Vec<String>,
    /// Which known differences were seen.
    pub(crate) seen: BTreeSet<usize>,
    /// How often each API was asked.
    pub(crate) asked: BTreeMap<(ApiKey, i16), u64>,
    /// The failures, by what they are about.
    pub(crate) failures: BTreeSet<String>,
}

/// An answer that differs.
struct Failure {
    step: usize,
    ours: Option<Said>,
    theirs: Option<Said>,
    differences: Vec<Difference>,
}

impl Failure {
    /// What it is about: alike in all sequences that show the same.
    fn subject(&self) -> String {
        let api = self.ours.as_ref().or(self.theirs.as_ref()).map_or(ApiKey(-1), |said| said.api);
        let first = self.differences.first();
        let (path, ours, theirs) = first.map_or(("", "", ""), |it| (&*it.path, &*it.ours, &*it.theirs));
        let short = |text: &str| text.chars().take(60).collect::<String>();
        format!("{api} {path}: ours {} Kafka's {}", short(ours), short(theirs))
    }

    fn place(&self) -> (Option<ApiKey>, Option<&str>) {
        (self.ours.as_ref().map(|said| said.api), self.differences.first().map(|it| &*it.path))
    }
}

impl Pair {
    /// Runs the sequence of a seed.
    pub(crate) fn run(&self, seed: u64, tally: &mut Tally) {
        let sequence = steps::sequence(seed);
        tally.sequences += 1;
        let mut failure = None;
        for _ in 0..BELIEVED_AFTER {
            let Some(found) = self.attempt(&sequence, CATCH_UP_MAX, tally) else {
                if let Some(before) = failure.as_ref().map(Failure::subject) {
                    tally.passing.push(format!("seed {seed}: {before}"));
                }
                return;
            };
            failure = Some(found);
        }
        let Some(failure) = failure else { return };
        let subject = failure.subject();
        if tally.failures.contains(&subject) {
            return;
        }
        let (steps, failure) = self.shrink(sequence[..=failure.step].to_vec(), failure, tally);
        let told = self.told(seed, &steps, &failure, tally);
        eprintln!("== {subject}\n{told}");
        tally.failures.insert(subject);
    }

    /// Takes steps away as long as what is left fails likewise.
    fn shrink(&self, mut steps: Vec<Step>, mut failure: Failure, tally: &mut Tally) -> (Vec<Step>, Failure) {
        // Most of what differs does so after the first steps.
        if let Some(last) = steps.last().filter(|_| steps.len() > 2) {
            let few = [steps[0], *last];
            if let Some(found) = self.attempt(&few, CATCH_UP_AGAIN, tally)
                && found.place() == failure.place()
            {
                (steps, failure) = (few.to_vec(), found);
            }
        }
        let mut size = steps.len().div_ceil(2);
        loop {
            let mut at = 0;
            while at < steps.len() {
                let mut fewer = steps.clone();
                fewer.drain(at..steps.len().min(at + size));
                match self.attempt(&fewer, CATCH_UP_AGAIN, tally) {
                    Some(found) if found.place() == failure.place() => {
                        fewer.truncate(found.step + 1);
                        steps = fewer;
                        failure = found;
                    }
                    _ => at += size,
                }
            }
            if size == 1 {
                return (steps, failure);
            }
            size = size.div_ceil(2);
        }
    }

    /// The failure with the whole conversation that leads to it.
    fn told(&self, seed: u64, steps: &[Step], failure: &Failure, tally: &mut Tally) -> String {
        let mut text = format!("seed {seed}, {} steps:\n", steps.len());
        let mut conversation = Vec::new();
        self.attempt_told(steps, CATCH_UP_AGAIN, tally, &mut conversation);
        for (name, said) in
            conversation.into_iter().filter(|(_, said)| said.api != ApiKey::CREATE_TOPICS || steps.len() == 1)
        {
            let answer: String = said.answer.to_string().chars().take(700).collect();
            let request: String = said.request.chars().take(900).collect();
            let _ = writeln!(text, "  {name}: {} v{} {request}\n    -> {answer}", said.api, said.version);
        }
        for it in &failure.differences {
            let _ = writeln!(text, "  {}\n    ours   {}\n    Kafka  {}", it.path, it.ours, it.theirs);
        }
        let theirs = failure.theirs.as_ref().map(|said| said.answer.to_string()).unwrap_or_default();
        let _ = writeln!(text, "  Kafka's answer: {theirs}");
        text
    }

    fn attempt(&self, steps: &[Step], catch_up: Duration, tally: &mut Tally) -> Option<Failure> {
        self.attempt_told(steps, catch_up, tally, &mut Vec::new())
    }

    fn attempt_told(
        &self,
        steps: &[Step],
        catch_up: Duration,
        tally: &mut Tally,
        conversation: &mut Vec<(&'static str, Said)>,
    ) -> Option<Failure> {
        static ATTEMPTS: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("q{:06}-", ATTEMPTS.fetch_add(1, Ordering::Relaxed));
        let hour_ms = 3_600_000;
        let side = |address: &str| Side::new(address, &prefix, self.begun - hour_ms / 2, self.versions.clone());
        let mut ours = side(&self.ours);
        let mut theirs = self.theirs.as_deref().map(side);
        if let Some(theirs) = &mut theirs {
            theirs.catch_up = catch_up;
        }
        let time = self.begun - hour_ms;
        let mut failure = None;
        for (number, step) in steps.iter().enumerate() {
            (step.what)(&mut ours, &mut Draw::new(step.seed, time));
            let ours_said = ours.take_said();
            conversation.extend(ours_said.iter().map(|said| (step.name, said.clone())));
            let Some(theirs) = &mut theirs else { continue };
            theirs.expect(&ours_said);
            (step.what)(theirs, &mut Draw::new(step.seed, time));
            let theirs_said = theirs.take_said();
            match compare(number, &ours_said, &theirs_said, tally) {
                Compared::Same => {}
                Compared::Apart => break,
                Compared::Failed(found) => {
                    failure = Some(*found);
                    break;
                }
            }
        }
        for side in [Some(&mut ours), theirs.as_mut()].into_iter().flatten() {
            side.expect(&[]);
            steps::clean_up(side, &mut Draw::new(0, time));
        }
        failure
    }
}

/// How the answers to a step compare.
enum Compared {
    Same,
    /// By a known difference, behind which the brokers go on differently.
    Apart,
    Failed(Box<Failure>),
}

fn compare(step: usize, ours: &[Said], theirs: &[Said], tally: &mut Tally) -> Compared {
    for (ours, theirs) in ours.iter().zip(theirs) {
        tally.compared += 1;
        *tally.asked.entry((ours.api, ours.version)).or_default() += 1;
        let differences = answer::differences(&ours.answer, &theirs.answer);
        let orders = match (&ours.as_said, &theirs.as_said) {
            (Some(ours), Some(theirs)) if differences.is_empty() => answer::orders(ours, theirs),
            _ => Vec::new(),
        };
        let is_told = |path: &String| !differences::is_unordered(ours.api, path, &ours.request);
        let orders = orders.into_iter().filter(is_told).map(|path| Difference {
            path: format!("the order of {path}"),
            ours: ours.as_said.as_ref().map(ToString::to_string).unwrap_or_default(),
            theirs: theirs.as_said.as_ref().map(ToString::to_string).unwrap_or_default(),
        });
        let differences: Vec<Difference> = differences.into_iter().chain(orders).collect();
        let explanations: Vec<_> = differences.iter().map(|it| differences::explained(ours, it)).collect();
        tally.seen.extend(explanations.iter().flatten());
        if explanations.iter().flatten().any(|number| differences::KNOWN[*number].parts) {
            tally.parted += 1;
            return Compared::Apart;
        }
        if ours.api != theirs.api || explanations.iter().any(Option::is_none) {
            let unexplained = differences.into_iter().zip(explanations).filter(|(_, why)| why.is_none());
            let differences = unexplained.map(|(it, _)| it).collect();
            let (ours, theirs) = (Some(ours.clone()), Some(theirs.clone()));
            return Compared::Failed(Box::new(Failure { step, ours, theirs, differences }));
        }
    }
    let longer = ours.len().min(theirs.len());
    if ours.len() == theirs.len() {
        return Compared::Same;
    }
    let (ours, theirs) = (ours.get(longer).cloned(), theirs.get(longer).cloned());
    Compared::Failed(Box::new(Failure { step, ours, theirs, differences: Vec::new() }))
}

impl Tally {
    /// Adds what another run came to.
    pub(crate) fn add(&mut self, other: Self) {
        self.sequences += other.sequences;
        self.compared += other.compared;
        self.parted += other.parted;
        self.passing.extend(other.passing);
        self.seen.extend(other.seen);
        for (api, count) in other.asked {
            *self.asked.entry(api).or_default() += count;
        }
        self.failures.extend(other.failures);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apis: BTreeSet<ApiKey> = self.asked.keys().map(|(api, _)| *api).collect();
        writeln!(
            f,
            "{} sequences, {} answers of {} APIs in {} versions compared; {} known differences seen, {} attempts ended \
             there",
            self.sequences,
            self.compared,
            apis.len(),
            self.asked.len(),
            self.seen.len(),
            self.parted,
        )?;
        for number in &self.seen {
            writeln!(f, "seen: {}", differences::KNOWN[*number].reason)?;
        }
        for passing in &self.passing {
            writeln!(f, "not again: {passing}")?;
        }
        Ok(())
    }
}
