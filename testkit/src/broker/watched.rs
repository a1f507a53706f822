//! A map that remembers whose values may have changed, for who [keeps](super::storage) them elsewhere.
//!
//! Whoever borrows a value to change it is taken to have changed it: nobody has to think of saying so. Unless it is told to
//! watch, it remembers nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

/// Values by their names.
#[derive(Debug)]
pub(crate) struct Watched<K, V> {
    map: BTreeMap<K, V>,
    watches: bool,
    changed: BTreeSet<K>,
}

impl<K, V> Default for Watched<K, V> {
    fn default() -> Self {
        Self { map: BTreeMap::new(), watches: false, changed: BTreeSet::new() }
    }
}

/// To read is what a map can.
impl<K, V> Deref for Watched<K, V> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &BTreeMap<K, V> {
        &self.map
    }
}

impl<K: Ord + Clone, V> Watched<K, V> {
    /// Remembers from now on; all that is there counts as changed.
    pub(crate) fn watch(&mut self) {
        self.watches = true;
        self.changed.extend(self.map.keys().cloned());
    }

    /// What was made, borrowed to be changed or removed since the last call.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<K> {
        std::mem::take(&mut self.changed)
    }

    fn note(&mut self, key: &K) {
        if self.watches && !self.changed.contains(key) {
            self.changed.insert(key.clone());
        }
    }

    pub(crate) fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        let value = self.map.get_mut(key)?;
        if self.watches && !self.changed.contains(key) {
            self.changed.insert(key.to_owned());
        }
        Some(value)
    }

    /// To change what others need not know of.
    pub(crate) fn unnoted_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.map.get_mut(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.note(&key);
        self.map.insert(key, value)
    }

    pub(crate) fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        self.note(&key);
        self.map.entry(key).or_insert_with(value)
    }

    pub(crate) fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let (key, value) = self.map.remove_entry(key)?;
        self.note(&key);
        Some(value)
    }

    /// All values, each to be changed.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        if self.watches {
            self.changed.extend(self.map.keys().cloned());
        }
        self.map.values_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_touched_is_remembered_once_it_is_watched() {
        let mut map: Watched<String, i32> = Watched::default();
        map.insert("a".to_owned(), 1);
        assert!(map.take_changed().is_empty());
        map.watch();
        map.insert("b".to_owned(), 1);
        assert_eq!(map.take_changed().len(), 2, "what was there before as well");
        assert_eq!(map.get("a"), Some(&1));
        assert!(map.take_changed().is_empty(), "to read is no change");
        *map.get_mut("a").unwrap() += 1;
        map.remove("b");
        assert!(map.get_mut("c").is_none());
        *map.get_or_insert_with("d".to_owned(), || 4) += 1;
        assert_eq!(map.take_changed().into_iter().collect::<Vec<_>>(), ["a", "b", "d"]);
        map.values_mut().for_each(|value| *value += 1);
        assert_eq!(map.take_changed().len(), 2);
    }
}
