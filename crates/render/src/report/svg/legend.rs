//! What marks, patterns and lines mean: samples with words, in as many lines as they need.

use subvault_plan::strategy::tier::Tier;

use super::canvas::{Canvas, Label};
use super::label::{Font, width};

/// The height of a line.
pub(super) const LINE: i64 = 22;

/// The width of a sample, and of the gap around it.
const SAMPLE: i64 = 22;
const GAP: i64 = 6;

/// Draws samples with words from `y` on; gives the height that they take. The sample is drawn around the middle of its place.
pub(super) fn draw<T>(
    canvas: &mut Canvas,
    (room, y): (i64, i64),
    items: &[(T, String)],
    sample: impl Fn(&mut Canvas, &T, i64, i64),
) -> i64 {
    let (mut x, mut line) = (0, 0);
    for (what, words) in items {
        let needed = SAMPLE + GAP + width(Font::Small, words);
        if x > 0 && x + needed > room {
            (x, line) = (0, line + 1);
        }
        let middle = y + line * LINE + LINE / 2;
        sample(canvas, what, x + SAMPLE / 2, middle);
        canvas.label(Label::new(Font::Small, x + SAMPLE + GAP, middle + 4, room - x - SAMPLE - GAP), words);
        x += needed + 3 * GAP;
    }
    if items.is_empty() { 0 } else { (line + 1) * LINE }
}

/// The marks of these tiers.
pub(super) fn tiers(canvas: &mut Canvas, place: (i64, i64), tiers: &[Tier]) -> i64 {
    let items: Vec<(Tier, String)> = tiers.iter().map(|tier| (*tier, tier.word().to_owned())).collect();
    draw(canvas, place, &items, |canvas, tier, x, y| canvas.mark(*tier, x, y))
}
