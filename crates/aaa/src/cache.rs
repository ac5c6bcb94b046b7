//! A small memory of answers: bounded in size and time, and forgetful on command.

use std::hash::Hash;
use std::time::Duration;

/// Remembers values for a while. Clones share it.
///
/// The time limit bounds how long a change stays unseen when nobody says [`Cache::forget`]; the size bounds memory.
#[derive(Clone)]
pub struct Cache<K, V>(moka::sync::Cache<K, V>)
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static;

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// At most `size` values, each for at most `time`.
    pub fn new(size: u64, time: Duration) -> Self {
        Self(moka::sync::Cache::builder().max_capacity(size).time_to_live(time).build())
    }

    /// The value, if it is remembered.
    pub fn get(&self, key: &K) -> Option<V> {
        self.0.get(key)
    }

    /// Remembers it.
    pub fn put(&self, key: K, value: V) {
        self.0.insert(key, value);
    }

    /// The value, which nobody gets again: for what works once.
    pub fn take(&self, key: &K) -> Option<V> {
        self.0.remove(key)
    }

    /// It changed: the next one who asks looks anew.
    pub fn forget(&self, key: &K) {
        self.0.invalidate(key);
    }

    /// Everything may have changed.
    pub fn forget_all(&self) {
        self.0.invalidate_all();
    }
}
