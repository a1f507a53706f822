//! The logs on disk: a folder for each partition, with a file for each segment, named and filled as Kafka does it, so that its
//! tools read them. Kafka's indexes are not written: ours lie in memory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::broker::log::Log;

const SEGMENT: &str = ".log";

/// A segment that is written anew.
const NEW_SEGMENT: &str = ".log.new";

/// The segment files of a partition: their lengths by base offset.
#[derive(Debug, Default)]
pub(super) struct PartitionFiles {
    bytes: BTreeMap<i64, u64>,
    /// Whether the folder is there.
    exists: bool,
}

impl PartitionFiles {
    /// The files of a folder, and what is in them.
    pub(super) fn read(folder: &Path) -> io::Result<(Self, BTreeMap<i64, Vec<u8>>)> {
        let mut contents = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(NEW_SEGMENT) {
                // The process ended before it took its place.
                fs::remove_file(&path)?;
                continue;
            }
            let Some(base_offset) = name.strip_suffix(SEGMENT).and_then(|base| base.parse().ok()) else { continue };
            contents.insert(base_offset, fs::read(&path)?);
        }
        let bytes = contents.iter().map(|(base_offset, content)| (*base_offset, content.len() as u64)).collect();
        Ok((Self { bytes, exists: true }, contents))
    }

    /// Makes the files hold what the log does.
    pub(super) fn save(&mut self, folder: &Path, log: &Log) -> io::Result<()> {
        if !self.exists {
            fs::create_dir_all(folder)?;
            self.exists = true;
        }
        let mut stays = BTreeMap::new();
        for segment in log.segments() {
            let length = self.bytes.get(&segment.base_offset).copied();
            let (kept, new) = segment.bytes.split_at(segment.kept_bytes.min(segment.bytes.len()));
            let end = segment.bytes.len() as u64;
            if length != Some(end) || !new.is_empty() {
                match length {
                    // A segment with other content takes the place of the old one at once or not at all.
                    Some(1..) if kept.is_empty() && !new.is_empty() => replace(folder, segment.base_offset, new)?,
                    Some(_) | None => self.write(folder, segment.base_offset, kept.len() as u64, new)?,
                }
            }
            stays.insert(segment.base_offset, end);
        }
        let gone = std::mem::replace(&mut self.bytes, stays);
        for base_offset in gone.into_keys().filter(|base_offset| !self.bytes.contains_key(base_offset)) {
            fs::remove_file(file(folder, base_offset, SEGMENT))?;
        }
        Ok(())
    }

    /// Writes behind the bytes that stay. Opened for each write: a cluster may have more partitions than a process may have
    /// open files.
    fn write(&self, folder: &Path, base_offset: i64, kept_bytes: u64, new: &[u8]) -> io::Result<()> {
        let length = self.bytes.get(&base_offset);
        // One that was there and is gone is not made anew: it would have a hole.
        let mut opened =
            File::options().write(true).create_new(length.is_none()).open(file(folder, base_offset, SEGMENT))?;
        if length.is_some_and(|length| *length > kept_bytes) {
            opened.set_len(kept_bytes)?;
        }
        opened.seek(SeekFrom::Start(kept_bytes))?;
        opened.write_all(new)
    }
}

fn replace(folder: &Path, base_offset: i64, content: &[u8]) -> io::Result<()> {
    let new = file(folder, base_offset, NEW_SEGMENT);
    fs::write(&new, content)?;
    fs::rename(&new, file(folder, base_offset, SEGMENT))
}

/// The folder of a partition, named as Kafka names it.
pub(super) fn folder(directory: &Path, topic: &str, number: i32) -> PathBuf {
    directory.join(format!("{topic}-{number}"))
}

fn file(folder: &Path, base_offset: i64, suffix: &str) -> PathBuf {
    folder.join(format!("{base_offset:020}{suffix}"))
}

/// The folders of partitions in a directory.
pub(super) fn folders(directory: &Path) -> io::Result<Vec<(PathBuf, String, i32)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((topic, number)) = name.rsplit_once('-') else { continue };
        if let Ok(number) = number.parse()
            && path.is_dir()
        {
            found.push((path, topic.to_owned(), number));
        }
    }
    Ok(found)
}

/// Removes the folder of a partition. Files that are none of its own stay, and the folder with them.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(SEGMENT) || name.ends_with(NEW_SEGMENT) {
            fs::remove_file(&path)?;
        }
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            tracing::warn!(folder = %folder.display(), "files that are no segments stay");
            Ok(())
        }
        removed => removed,
    }
}
