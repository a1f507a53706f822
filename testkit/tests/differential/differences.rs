//! The differences that stay, each with its reason. What is not in this list makes a test fail, and so does what is in it
//! and was not seen in a long run.

use tidemill_protocol::ApiKey;

use crate::answer::Difference;

/// A difference that stays.
pub(crate) struct Known {
    pub(crate) api: ApiKey,
    /// The field, without numbers of elements.
    pub(crate) path: &'static str,
    /// What stands there; `*` is anything.
    pub(crate) ours: &'static str,
    pub(crate) theirs: &'static str,
    pub(crate) reason: &'static str,
}

/// All that is known.
pub(crate) const KNOWN: &[Known] = &[];


/// The place in the list of what explains a difference.
pub(crate) fn explained(api: ApiKey, difference: &Difference) -> Option<usize> {
    let is = |pattern: &str, text: &str| pattern == "*" || pattern == text;
    KNOWN.iter().position(|known| {
        known.api == api
            && known.path == difference.path
            && is(known.ours, &difference.ours)
            && is(known.theirs, &difference.theirs)
    })
}
