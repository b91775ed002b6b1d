//! Restoring with stock tools alone: the commands of `docs/recovery.md`, which a test runs as they stand there.

const PAGE: &str = include_str!("../../../../docs/recovery.md");

/// What each block does.
const WHAT: [&str; 4] = [
    "Find the chain: a full, and what builds on it.",
    "Check every byte of it. What is damaged ends it here.",
    "Receive it. A line with `ERROR` means that it did not arrive as a whole.",
    "Take a writable copy of the last one, and remove the others.",
];

/// The commands, with what they do.
pub(super) fn blocks() -> impl Iterator<Item = (&'static str, &'static str)> {
    let blocks = PAGE.split("```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    WHAT.into_iter().zip(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_is_told_about() {
        assert_eq!(PAGE.matches("```sh\n").count(), WHAT.len());
        let last = |index: usize| blocks().nth(index).map(|(_, block)| block.lines().last().unwrap_or_default());
        assert!(last(1).is_some_and(|line| line.contains("Everything is as it was written")));
        assert!(last(2).is_some_and(|line| line == "done"));
    }
}
