//! How old the snapshots are that are kept: a line of time for each subvolume, with a mark for each snapshot.

mod ages;
mod axis;

use jiff::SignedDuration;
use subvault_plan::keep::Keep;

use self::ages::ages;
use self::axis::Axis;
use super::canvas::{Anchor, Area, Canvas, Label};
use super::label::Font;
use super::{Paper, int, legend};
use crate::report::flow::{ROWS_MAX, Row, rows};
use crate::report::{Report, words};

/// The room at the right in which it says how many there are.
const COUNT: i64 = 76;
/// The height of the axis.
const AXIS: i64 = 26;

/// The height of a row, and within it where the marks begin.
const fn heights(paper: Paper) -> (i64, i64) {
    match paper {
        Paper::Wide => (36, 10),
        Paper::Narrow => (50, 26),
    }
}

/// The picture.
pub(super) fn draw(report: &Report<'_>, paper: Paper) -> String {
    let taken = report.strategy.subvolumes.iter().filter(|s| s.snapshots.value.is_some() && s.keep.is_some());
    let all = rows(taken, ROWS_MAX, |s| (&s.snapshots.value, s.keep.as_ref().map(|keep| &keep.value)));
    let ages = ages_of(report, &all.rows);
    let oldest = ages.iter().filter_map(|ages| ages.last()).max().copied().unwrap_or_default();
    let (left, right) = if paper.is_wide() { (200, paper.width() - COUNT - 16) } else { (10, paper.width() - 14) };
    let axis = Axis::new(left, right, oldest.as_hours());
    let mut canvas = Canvas::new(paper.width());
    let mut tiers: Vec<_> = all.rows.iter().map(Row::tier).collect();
    tiers.dedup();
    let top = legend::tiers(&mut canvas, (paper.width(), 0), &tiers) + 8;
    let (height, _) = heights(paper);
    let bottom = top + AXIS + int(all.rows.len()) * height;
    draw_axis(&mut canvas, &axis, paper, (top, bottom));
    for (index, (row, ages)) in all.rows.iter().zip(&ages).enumerate() {
        draw_row(&mut canvas, &axis, paper, row, ages, top + AXIS + int(index) * height);
    }
    let mut end = bottom + 6;
    if all.left_out > 0 {
        let more = format!("{} more are not shown", words::count(all.left_out, "subvolume"));
        canvas.label(Label::new(Font::Small, 0, end + 18, paper.width()), &more);
        end += 26;
    }
    let title = "How old the snapshots are that are kept";
    canvas.finish(end, &format!("retention-{}", paper.word()), title, &shows(&all.rows, &ages))
}

fn shows(rows: &[Row<'_>], ages: &[Vec<SignedDuration>]) -> String {
    let of = |(row, ages): (&Row<'_>, &Vec<SignedDuration>)| {
        let oldest = ages.last().map_or_else(|| "nothing".to_owned(), |oldest| words::length(*oldest));
        format!("{}: {}, the oldest {oldest} old", row.name(), words::count(ages.len(), "snapshot"))
    };
    rows.iter().zip(ages).map(of).collect::<Vec<_>>().join("; ")
}

/// The ages for each row; what is taken and kept alike is found out once.
fn ages_of(report: &Report<'_>, rows: &[Row<'_>]) -> Vec<Vec<SignedDuration>> {
    let mut found: Vec<((&str, &Keep), Vec<SignedDuration>)> = Vec::new();
    let mut all = Vec::new();
    for row in rows {
        let (Some(calendar), Some(keep)) = (row.first.snapshots.value.as_deref(), &row.first.keep) else { continue };
        let key = (calendar, &keep.value);
        let known = found.iter().find(|(other, _)| *other == key).map(|(_, ages)| ages.clone());
        let of_row = known.unwrap_or_else(|| ages(report, calendar, &keep.value));
        found.push((key, of_row.clone()));
        all.push(of_row);
    }
    all
}

fn draw_axis(canvas: &mut Canvas, axis: &Axis, paper: Paper, (top, bottom): (i64, i64)) {
    for (x, name) in axis.ends(paper.is_wide()) {
        canvas.path("rule", &format!("M{x} {}V{bottom}", top + AXIS - 6));
        canvas.label(Label::new(Font::Small, x, top + 12, 80).anchored(Anchor::Middle), name);
    }
}

fn draw_row(canvas: &mut Canvas, axis: &Axis, paper: Paper, row: &Row<'_>, ages: &[SignedDuration], y: i64) {
    let (height, marks) = heights(paper);
    let width = paper.width();
    let count = format!("{} kept", ages.len());
    canvas.begin(&row.names());
    if y > 0 {
        canvas.path("grid", &format!("M0 {y}H{width}"));
    }
    let (mark_y, text_y) = if paper.is_wide() { (y + height / 2, y + height / 2 + 4) } else { (y + 14, y + 18) };
    canvas.mark(row.tier(), 8, mark_y);
    let room = if paper.is_wide() { 165 } else { width - COUNT - 30 };
    canvas.label(Label::new(Font::Bold, 22, text_y, room), &row.name());
    canvas.label(Label::new(Font::Small, width, text_y, COUNT).anchored(Anchor::End), &count);
    for (from, to) in stretches(axis, ages) {
        let area = Area { x: from - 1, y: y + marks, width: to - from + 2, height: 16 };
        canvas.area(row.tier().word(), area, 1);
    }
    canvas.end();
}

/// From where to where there are marks: those that would touch are one.
fn stretches(axis: &Axis, ages: &[SignedDuration]) -> Vec<(i64, i64)> {
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    for place in ages.iter().rev().map(|age| axis.place(age.as_secs())) {
        match stretches.last_mut() {
            Some((_, to)) if place - *to < 4 => *to = place,
            _ => stretches.push((place, place)),
        }
    }
    stretches
}
