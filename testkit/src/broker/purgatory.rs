//! Requests that wait for something to be written, or for their time to be up.
//!
//! [`Cluster::poll`](super::Cluster::poll) takes from here who has become ready. Each request watches some partitions; an
//! append touches its partition once per batch, and only those who watch it are looked at again.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;
use uuid::Uuid;

use super::Token;
use super::invariants::{Holds, hold};

/// A partition, by the id of its topic: a topic that is made again is another one.
pub(crate) type Watched = (Uuid, i32);

/// The requests of one kind that wait.
#[derive(Debug)]
pub(crate) struct Purgatory<T> {
    waiting: BTreeMap<Token, Waiter<T>>,
    watchers: BTreeMap<Watched, BTreeSet<Token>>,
    deadlines: BTreeSet<(Instant, Token)>,
    touched: BTreeSet<Token>,
}

#[derive(Debug)]
struct Waiter<T> {
    what: T,
    watched: Vec<Watched>,
    deadline: Instant,
}

impl<T> Default for Purgatory<T> {
    fn default() -> Self {
        Self {
            waiting: BTreeMap::new(),
            watchers: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            touched: BTreeSet::new(),
        }
    }
}

impl<T> Purgatory<T> {
    pub(crate) fn wait(&mut self, token: Token, what: T, watched: Vec<Watched>, deadline: Instant) {
        for partition in &watched {
            self.watchers.entry(*partition).or_default().insert(token);
        }
        self.deadlines.insert((deadline, token));
        self.waiting.insert(token, Waiter { what, watched, deadline });
    }

    /// Something happened to this partition.
    pub(crate) fn touch(&mut self, partition: Watched) {
        if let Some(tokens) = self.watchers.get(&partition) {
            self.touched.extend(tokens);
        }
    }

    /// Who has to be looked at again because of [`Self::touch`].
    pub(crate) fn take_touched(&mut self) -> BTreeSet<Token> {
        std::mem::take(&mut self.touched)
    }

    pub(crate) fn get(&self, token: Token) -> Option<&T> {
        self.waiting.get(&token).map(|waiter| &waiter.what)
    }

    /// Who has waited long enough.
    pub(crate) fn expired(&self, now: Instant) -> Option<Token> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, token)| *token)
    }

    /// When the next has waited long enough.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    pub(crate) fn remove(&mut self, token: Token) -> Option<T> {
        let Waiter { what, watched, deadline } = self.waiting.remove(&token)?;
        for partition in watched {
            if let Some(tokens) = self.watchers.get_mut(&partition) {
                tokens.remove(&token);
                if tokens.is_empty() {
                    self.watchers.remove(&partition);
                }
            }
        }
        self.deadlines.remove(&(deadline, token));
        self.touched.remove(&token);
        Some(what)
    }

    /// Everybody who waits.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = Token> {
        self.waiting.keys().copied()
    }

    /// Whether who waits is known wherever it is looked for, and nobody has waited for too long.
    pub(crate) fn check(&self, now: Instant) -> Holds {
        hold(self.touched.is_empty(), || "who was touched was not looked at".to_owned())?;
        hold(self.expired(now).is_none(), || "somebody has waited for too long".to_owned())?;
        let due: BTreeSet<_> = self.waiting.iter().map(|(token, waiter)| (waiter.deadline, *token)).collect();
        hold(due == self.deadlines, || format!("the deadlines of {} who wait", self.waiting.len()))?;
        let watched = self.waiting.iter().flat_map(|(token, waiter)| waiter.watched.iter().map(|it| (*it, *token)));
        let noted = self.watchers.iter().flat_map(|(it, tokens)| tokens.iter().map(|token| (*it, *token)));
        hold(watched.collect::<BTreeSet<_>>() == noted.collect(), || "who watches which partition".to_owned())
    }
}
