//! The directory of a cluster: moves what its machine says has changed into files, before anybody is told of it.
//!
//! - `journal`: everything but records, as frames of changed values
//! - `segments`: the logs, a folder for each partition, in Kafka's own format
//!
//! One step of the machine ([`Directory::save`]) is written in this order, and only then its answers leave:
//! 1. a frame with topics that are gone and transactions whose end is decided; then the folders of those topics go;
//! 2. the bytes of the logs;
//! 3. a frame with everything else.
//!
//! So whenever the process ends, be it by `kill -9`, what was acknowledged is there: a frame is whole or does not count, and
//! what the logs have more than the journal was never acknowledged and may stay. Nothing is synced to the disk: what the
//! operating system has taken survives the process, but not a loss of power.
//!
//! Records are still served from memory; the directory is read once, when it is opened.

mod journal;
mod segments;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use self::journal::Journal;
use self::segments::PartitionFiles;
use crate::broker::Cluster;
use crate::broker::storage::{Entries, KeptLogs, Stamp, keep_topic, partition_name};

/// The file that says that a cluster has the directory open.
const LOCK: &str = ".lock";

/// A directory that is open, and belongs to this process as long as this lives.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Locked.
    _lock: Lock,
    journal: Journal,
    topics: BTreeMap<String, KeptTopic>,
}

/// What is known to be kept of a topic.
#[derive(Debug, Default)]
struct KeptTopic {
    /// None before it was saved for the first time.
    id: Option<Uuid>,
    partitions: BTreeMap<i32, KeptPartition>,
}

#[derive(Debug, Default)]
struct KeptPartition {
    /// What it was like when it was saved.
    stamp: Option<Stamp>,
    files: PartitionFiles,
}

/// What was found in a directory.
pub(crate) struct Found {
    pub(crate) entries: Entries,
    pub(crate) logs: KeptLogs,
}

impl Directory {
    /// Opens a directory, puts what is in it into a cluster that has nothing, and keeps that cluster from now on.
    pub(crate) fn start(path: &Path, cluster: &mut Cluster, now: Instant) -> io::Result<Self> {
        let (mut directory, Found { entries, logs }) = Self::open(path)?;
        cluster.watch();
        let restored = cluster.restore(&entries, logs, now);
        restored.map_err(|damage| at(path, &io::Error::new(io::ErrorKind::InvalidData, damage)))?;
        directory.save(cluster)?;
        Ok(directory)
    }

    /// Opens a directory, or makes it. It has to be empty or one of a cluster.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Found)> {
        fs::create_dir_all(path).map_err(|error| at(path, &error))?;
        let lock = lock(path)?;
        let is_ours = path.join(journal::NAME).exists();
        if !is_ours && let Some(other) = other_content(path)? {
            let reason = format!(
                "{} is not the directory of a cluster: it has no {}, but {other}; choose an empty directory",
                path.display(),
                journal::NAME
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let (journal, entries) = Journal::open(path).map_err(|error| at(&path.join(journal::NAME), &error))?;
        let (mut topics, mut logs): (BTreeMap<String, KeptTopic>, _) = (BTreeMap::new(), KeptLogs::new());
        for (folder, topic, number) in segments::folders(path)? {
            if !entries.contains_key(&partition_name(&topic, number)) {
                // Of a topic whose removal had begun, or whose making was not finished.
                segments::remove(&folder).map_err(|error| at(&folder, &error))?;
                continue;
            }
            let (files, contents) = PartitionFiles::read(&folder).map_err(|error| at(&folder, &error))?;
            let kept = topics.entry(topic.clone()).or_default();
            kept.partitions.insert(number, KeptPartition { stamp: None, files });
            logs.insert((topic, number), contents);
        }
        let directory = Self { path: path.to_owned(), _lock: lock, journal, topics };
        Ok((directory, Found { entries, logs }))
    }

    /// Writes what has changed in the cluster since the last call.
    pub(crate) fn save(&mut self, cluster: &mut Cluster) -> io::Result<()> {
        let changed = cluster.take_changed();
        if changed.is_empty() {
            return Ok(());
        }
        let mut before = changed.before_logs;
        let mut gone = Vec::new();
        for name in &changed.topics {
            let id = cluster.topics.by_name(name).map(|topic| topic.id);
            let is_gone = |kept: &KeptTopic| kept.id.is_some() && kept.id != id;
            if self.topics.get(name).is_some_and(is_gone) {
                before.insert(format!("topic/{name}"), Value::Null);
                gone.extend(self.topics.remove(name).map(|kept| (name.clone(), kept)));
            }
        }
        for (name, kept) in &gone {
            before.extend(kept.partitions.keys().map(|number| (partition_name(name, *number), Value::Null)));
        }
        self.journal.append(before)?;
        for (name, kept) in gone {
            for number in kept.partitions.into_keys() {
                let folder = segments::folder(&self.path, &name, number);
                segments::remove(&folder).map_err(|error| at(&folder, &error))?;
            }
        }
        let mut after = changed.after_logs;
        for name in &changed.topics {
            self.save_topic(cluster, name, &mut after)?;
        }
        self.journal.append(after)
    }

    fn save_topic(&mut self, cluster: &mut Cluster, name: &str, after: &mut Entries) -> io::Result<()> {
        let Some(topic) = cluster.topics.kept_mut(name) else { return Ok(()) };
        let kept = self.topics.entry(name.to_owned()).or_default();
        kept.id = Some(topic.id);
        after.insert(format!("topic/{name}"), keep_topic(topic));
        for (number, partition) in (0..).zip(&mut topic.partitions) {
            let stamp = partition.stamp();
            let kept = kept.partitions.entry(number).or_default();
            if kept.stamp == Some(stamp) {
                continue;
            }
            let folder = segments::folder(&self.path, name, number);
            kept.files.save(&folder, &partition.log).map_err(|error| at(&folder, &error))?;
            partition.log.set_kept();
            if kept.stamp.replace(stamp).is_none_or(|before| before.value != stamp.value) {
                after.insert(partition_name(name, number), partition.keep());
            }
        }
        Ok(())
    }
}

/// The error, with the place where it has happened.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The lock of a directory that is in use.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    /// Closing the file is not enough: a process that another thread is just starting has it open for a moment, too.
    fn drop(&mut self) {
        // What cannot be unlocked is unlocked when the process ends.
        let _ = self.0.unlock();
    }
}

fn lock(path: &Path) -> io::Result<Lock> {
    let name = path.join(LOCK);
    let lock = File::options().create(true).append(true).open(&name).map_err(|error| at(&name, &error))?;
    match lock.try_lock() {
        Ok(()) => Ok(Lock(lock)),
        Err(TryLockError::WouldBlock) => {
            let reason =
                format!("{} is in use by another broker: stop it, or choose another directory", path.display());
            Err(io::Error::new(io::ErrorKind::ResourceBusy, reason))
        }
        Err(TryLockError::Error(error)) => Err(at(&name, &error)),
    }
}

/// Something in a directory that does not belong to a cluster that was only just begun.
fn other_content(path: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(path).map_err(|error| at(path, &error))? {
        let name = entry.map_err(|error| at(path, &error))?.file_name();
        let name = name.to_string_lossy();
        if name != LOCK && name != journal::NEW_NAME {
            return Ok(Some(name.into_owned()));
        }
    }
    Ok(None)
}
