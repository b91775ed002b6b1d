//! When it is proved that a restore would work: weekly the lists, monthly a restore, quarterly all of it (V1, V2). Pure.

use serde::Serialize;

use super::profile::{Family, Profile};

/// Something that is proved on a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// What is done.
    pub what: ProofKind,
    /// When, in systemd's words.
    pub calendar: &'static str,
    /// Why so often.
    pub because: &'static str,
}

/// What is done to prove that a restore would work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofKind {
    /// What stores hold is compared with its manifests.
    Verify,
    /// The newest copy is restored and compared.
    RestoreOne,
    /// Everything is restored and compared.
    RestoreAll,
}

impl ProofKind {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Verify => "what targets hold is compared with its manifests",
            Self::RestoreOne => "the newest copy is restored and compared",
            Self::RestoreAll => "everything is restored and compared",
        }
    }
}

/// What is proved when.
#[must_use]
pub fn calendar(profile: Profile) -> Vec<Proof> {
    let all = Proof {
        what: ProofKind::RestoreAll,
        calendar: "Sat *-01,04,07,10-01..07 04:00",
        because: "once a quarter it is seen how long everything takes",
    };
    let mut proofs = vec![
        Proof { what: ProofKind::Verify, calendar: "Sun 04:30", because: "what is damaged can still be sent again" },
        Proof {
            what: ProofKind::RestoreOne,
            calendar: "Sat *-*-01..07 03:00",
            because: "only a restore proves that one would work",
        },
    ];
    // A laptop seldom has room for all of it, and nobody relies on the time it takes.
    if profile.family() != Family::Laptop {
        proofs.push(all);
    }
    proofs
}
