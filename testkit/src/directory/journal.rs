//! The journal: one file of frames, each with the values that one step of the cluster has changed.
//!
//! A frame is the length of its payload, its CRC-32C, and the payload: a JSON object of the new values by their names, null
//! for what is gone. What ends within a frame was not acknowledged, and is cut off. Opened, and whenever it has grown to several
//! times what it holds, the journal is written anew to another file, which then takes its name.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::broker::storage::Entries;

pub(super) const NAME: &str = "cluster.journal";

/// While it is written anew.
pub(super) const NEW_NAME: &str = "cluster.journal.new";

/// What every journal begins with.
const MAGIC: &[u8] = b"tidemill journal 1\n";

/// Length and checksum.
const FRAME_HEADER_BYTES: usize = 8;

/// A journal is left as it is up to this size.
const BYTES_MIN: u64 = 1024 * 1024;

/// It is written anew when it is so many times as large as it was then.
const GROWTH: u64 = 4;

pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// All that it holds, as JSON.
    values: BTreeMap<String, String>,
    bytes: u64,
    bytes_when_new: u64,
}

/// What it holds is counted, not shown: users are known by some of it.
impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Journal({} values, {} bytes)", self.values.len(), self.bytes)
    }
}

impl Journal {
    /// The journal of a directory, a new one if it has none, and what it holds.
    pub(super) fn open(directory: &Path) -> io::Result<(Self, Entries)> {
        let path = directory.join(NAME);
        let entries = match fs::read(&path) {
            Ok(bytes) => read(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Entries::new(),
            Err(error) => return Err(error),
        };
        let values = entries.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
        let (file, bytes) = write_new(directory, &values)?;
        let journal = Self { path: directory.to_owned(), file, values, bytes, bytes_when_new: bytes };
        Ok((journal, entries))
    }

    /// Writes a frame with those of these values that have changed, if there are any.
    pub(super) fn append(&mut self, changes: Entries) -> io::Result<()> {
        let mut changed = BTreeMap::new();
        for (name, value) in changes {
            let text = value.to_string();
            let before = if value.is_null() {
                self.values.remove(&name)
            } else if self.values.get(&name) == Some(&text) {
                continue;
            } else {
                self.values.insert(name.clone(), text.clone())
            };
            if before.is_some() || !value.is_null() {
                changed.insert(name, text);
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        let frame = frame(&changed)?;
        self.file.write_all(&frame)?;
        self.bytes += frame.len() as u64;
        if self.bytes > BYTES_MIN.max(self.bytes_when_new.saturating_mul(GROWTH)) {
            (self.file, self.bytes) = write_new(&self.path, &self.values)?;
            self.bytes_when_new = self.bytes;
        }
        Ok(())
    }
}

/// Writes a journal that holds just this, in the place of the one that is there.
fn write_new(directory: &Path, values: &BTreeMap<String, String>) -> io::Result<(File, u64)> {
    let mut bytes = MAGIC.to_vec();
    if !values.is_empty() {
        bytes.extend(frame(values)?);
    }
    let new = directory.join(NEW_NAME);
    let mut file = File::create(&new)?;
    file.write_all(&bytes)?;
    fs::rename(&new, directory.join(NAME))?;
    Ok((file, bytes.len() as u64))
}

fn frame(values: &BTreeMap<String, String>) -> io::Result<Vec<u8>> {
    let mut payload = Vec::from(b"{");
    for (name, value) in values {
        if payload.len() > 1 {
            payload.push(b',');
        }
        serde_json::to_writer(&mut payload, name)?;
        payload.push(b':');
        payload.extend_from_slice(value.as_bytes());
    }
    payload.push(b'}');
    let too_large = |_| io::Error::new(io::ErrorKind::FileTooLarge, "a step of the cluster changes more than 4 GiB");
    let length = u32::try_from(payload.len()).map_err(too_large)?;
    let mut frame = Vec::with_capacity(FRAME_HEADER_BYTES + payload.len());
    frame.extend(length.to_be_bytes());
    frame.extend(crc32c::crc32c(&payload).to_be_bytes());
    frame.append(&mut payload);
    Ok(frame)
}

/// What a journal holds. An end within a frame is passed over; a frame that is whole, with others behind it, and damaged is
/// an error: what was acknowledged after it cannot be left out silently.
fn read(bytes: &[u8]) -> io::Result<Entries> {
    let damaged = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
        return Err(damaged("this is no journal of a cluster, or one of another release".to_owned()));
    };
    let mut entries = Entries::new();
    while let Some((header, behind)) = rest.split_first_chunk::<FRAME_HEADER_BYTES>() {
        let at = bytes.len() - rest.len();
        let [a, b, c, d, e, f, g, h] = *header;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let crc = u32::from_be_bytes([e, f, g, h]);
        let Some((payload, behind)) = behind.split_at_checked(length) else { break };
        if crc32c::crc32c(payload) != crc {
            if behind.is_empty() {
                break;
            }
            return Err(damaged(format!(
                "the frame at byte {at} is damaged, and {} bytes behind it are not: restore the directory from a copy",
                behind.len()
            )));
        }
        let changed: Entries = serde_json::from_slice(payload).map_err(|error| damaged(error.to_string()))?;
        for (name, value) in changed {
            if value.is_null() {
                entries.remove(&name);
            } else {
                entries.insert(name, value);
            }
        }
        rest = behind;
    }
    if !rest.is_empty() {
        tracing::warn!(bytes = rest.len(), "the journal ended within a frame, which was cut off");
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entries(pairs: &[(&str, i32)]) -> Entries {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
    }

    #[test]
    fn a_journal_cut_at_any_byte_of_its_last_frame_holds_all_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        let (mut journal, found) = Journal::open(directory.path()).unwrap();
        assert!(found.is_empty());
        journal.append(entries(&[("a", 1), ("b", 2)])).unwrap();
        let before = fs::read(&path).unwrap().len();
        journal.append(Entries::from([("a".to_owned(), json!(null)), ("c".to_owned(), json!("x"))])).unwrap();
        journal.append(entries(&[("b", 2)])).unwrap();
        let whole = fs::read(&path).unwrap();
        for end in before..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            let (_, found) = Journal::open(directory.path()).unwrap();
            assert_eq!(found, entries(&[("a", 1), ("b", 2)]), "cut at {end}");
        }
        for flipped in before + FRAME_HEADER_BYTES..whole.len() {
            let mut bytes = whole.clone();
            bytes[flipped] ^= 1;
            assert_eq!(read(&bytes).unwrap(), entries(&[("a", 1), ("b", 2)]), "flipped at {flipped}");
        }
        fs::write(&path, &whole).unwrap();
        let (_, found) = Journal::open(directory.path()).unwrap();
        assert_eq!(found.into_keys().collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn a_frame_damaged_in_the_middle_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        let (mut journal, _) = Journal::open(directory.path()).unwrap();
        journal.append(entries(&[("a", 1)])).unwrap();
        journal.append(entries(&[("a", 2)])).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[MAGIC.len() + FRAME_HEADER_BYTES + 1] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(Journal::open(directory.path()).unwrap_err().to_string().contains("frame at byte 19 is damaged"));
    }

    #[test]
    fn a_journal_that_has_grown_is_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        let (mut journal, _) = Journal::open(directory.path()).unwrap();
        let text = "x".repeat(100_000);
        for count in 0..50 {
            let changes = Entries::from([("a".to_owned(), json!({"count": count, "text": text}))]);
            journal.append(changes).unwrap();
            assert!(fs::metadata(&path).unwrap().len() <= BYTES_MIN + 200_000);
        }
        let (_, found) = Journal::open(directory.path()).unwrap();
        assert_eq!(found["a"]["count"], 49);
    }
}
