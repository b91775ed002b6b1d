//! The flow of data: subvolumes, their snapshots on their own pool, targets. The broader a line, the more often.

use subvault_plan::strategy::{SubvolumeStrategy, TargetStrategy};

use super::canvas::{Anchor, Area, Canvas, Label};
use super::label::Font;
use super::{Paper, int, legend};
use crate::report::flow::{LINKED_ROWS_MAX, Often, Row, Sent, often, rows, sent};
use crate::report::{Report, words};

const BOX: i64 = 44;
const GAP: i64 = 10;
const TARGET: i64 = 76;
/// The height of the heads of the columns.
const HEAD: i64 = 26;

/// Where the columns are: subvolumes, snapshots (on narrow paper in one box with their subvolume) and targets.
struct Columns {
    subvolumes: (i64, i64),
    snapshots: Option<(i64, i64)>,
    targets: (i64, i64),
}

const fn columns(paper: Paper) -> Columns {
    match paper {
        Paper::Wide => Columns { subvolumes: (0, 210), snapshots: Some((260, 240)), targets: (610, 230) },
        Paper::Narrow => Columns { subvolumes: (0, 178), snapshots: None, targets: (222, 118) },
    }
}

/// The picture.
pub(super) fn draw(report: &Report<'_>, paper: Paper) -> String {
    let strategy = report.strategy;
    let all = rows(strategy.subvolumes.iter(), LINKED_ROWS_MAX, |s| (s.snapshots.value.clone(), sent(strategy, s)));
    let mut canvas = Canvas::new(paper.width());
    let mut top = legend(&mut canvas, report, paper, &all.rows);
    top += heads(&mut canvas, paper, top);
    let lines: i64 = int(all.rows.len()) * (BOX + GAP) - GAP;
    let height = lines.max(int(strategy.targets.len()) * (TARGET + GAP) - GAP);
    let first = top + (height - lines) / 2;
    let targets = target_areas(report, paper, (top, height));
    flows(&mut canvas, report, paper, (&all.rows, first), &targets);
    for (index, row) in all.rows.iter().enumerate() {
        boxes(&mut canvas, report, paper, row, first + int(index) * (BOX + GAP));
    }
    for (target, area) in strategy.targets.iter().zip(&targets) {
        target_box(&mut canvas, target, *area);
    }
    let mut bottom = top + height + 2;
    if all.left_out > 0 {
        let more = format!("{} more are not shown", words::count(all.left_out, "subvolume"));
        canvas.label(Label::new(Font::Small, 0, bottom + 20, paper.width()), &more);
        bottom += 28;
    }
    canvas.finish(bottom, &format!("flow-{}", paper.word()), "What is sent where", &shows(report, &all.rows))
}

fn shows(report: &Report<'_>, rows: &[Row<'_>]) -> String {
    let of = |row: &Row<'_>| {
        let sent = sent(report.strategy, row.first);
        let to = sent.iter().map(|sent| {
            let when = sent.calendar.map_or_else(|| "when asked for".to_owned(), words::calendar);
            format!("{when} to {}", sent.target)
        });
        let to = to.collect::<Vec<_>>().join(", ");
        let to = if to.is_empty() { "sent nowhere".to_owned() } else { format!("sent {to}") };
        format!("{}: {}, {to}", row.name(), taken(row.first))
    };
    rows.iter().map(of).collect::<Vec<_>>().join("; ")
}

/// The breadths of lines that are used.
fn legend(canvas: &mut Canvas, report: &Report<'_>, paper: Paper, rows: &[Row<'_>]) -> i64 {
    let taken = rows.iter().filter_map(|row| row.first.snapshots.value.as_deref());
    let taken = taken.map(|calendar| often_or_rarely(report, calendar));
    let used: Vec<Often> = taken.chain(lines(report, rows).iter().filter_map(|line| line.often)).collect();
    let items: Vec<(Often, String)> = Often::ALL
        .into_iter()
        .filter(|often| used.contains(often))
        .map(|often| (often, often.word().to_owned()))
        .collect();
    legend::draw(canvas, (paper.width(), 0), &items, |canvas, often, x, y| {
        canvas.broad_path("flow sample", breadth(*often), &format!("M{} {y}h22", x - 11));
    }) + GAP
}

const fn breadth(often: Often) -> i64 {
    match often {
        Often::Rarely => 1,
        Often::Monthly => 2,
        Often::Weekly => 4,
        Often::Daily => 6,
        Often::Hourly => 9,
    }
}

fn heads(canvas: &mut Canvas, paper: Paper, y: i64) -> i64 {
    let columns = columns(paper);
    let first = if paper.is_wide() { "Subvolumes" } else { "Subvolumes, snapshots" };
    let mut head = |(x, width): (i64, i64), text: &str| canvas.label(Label::new(Font::Small, x, y + 14, width), text);
    head(columns.subvolumes, first);
    if let Some(snapshots) = columns.snapshots {
        head(snapshots, "Snapshots on their own pool");
    }
    head(columns.targets, "Targets");
    HEAD
}

/// The boxes of targets, spread over the height.
fn target_areas(report: &Report<'_>, paper: Paper, (top, height): (i64, i64)) -> Vec<Area> {
    let count = int(report.strategy.targets.len());
    let (x, width) = columns(paper).targets;
    let place = |index: i64| {
        let middle = top + height * (2 * index + 1) / (2 * count.max(1));
        Area { x, y: middle - TARGET / 2, width: width - 1, height: TARGET }
    };
    (0..count).map(place).collect()
}

/// A line from a row to a target, and how often something goes along it; `None`: when it is asked for.
struct Line {
    row: usize,
    target: usize,
    often: Option<Often>,
}

fn lines(report: &Report<'_>, rows: &[Row<'_>]) -> Vec<Line> {
    let targets = &report.strategy.targets;
    let of_row = |(row, of): (usize, &Row<'_>)| {
        let line = |sent: Sent<'_>| {
            let target = targets.iter().position(|target| target.name == *sent.target)?;
            Some(Line { row, target, often: sent.calendar.map(|calendar| often_or_rarely(report, calendar)) })
        };
        sent(report.strategy, of.first).into_iter().filter_map(line).collect::<Vec<_>>()
    };
    rows.iter().enumerate().flat_map(of_row).collect()
}

fn often_or_rarely(report: &Report<'_>, calendar: &str) -> Often {
    often(report, calendar).unwrap_or(Often::Rarely)
}

/// The lines, below the boxes. Those that end at one target end below each other.
fn flows(canvas: &mut Canvas, report: &Report<'_>, paper: Paper, (rows, first): (&[Row<'_>], i64), targets: &[Area]) {
    let columns = columns(paper);
    let (start, width) = columns.snapshots.unwrap_or(columns.subvolumes);
    let from_x = start + width;
    let row_y = |row: usize| first + int(row) * (BOX + GAP) + BOX / 2;
    if let Some((x, _)) = columns.snapshots {
        let (begin, width) = columns.subvolumes;
        for (index, row) in rows.iter().enumerate() {
            let Some(calendar) = &row.first.snapshots.value else { continue };
            let (y, breadth) = (row_y(index), breadth(often_or_rarely(report, calendar)));
            canvas.broad_path(&format!("flow {}", row.tier()), breadth, &format!("M{} {y}H{x}", begin + width));
        }
    }
    let lines = lines(report, rows);
    for line in &lines {
        let Some((area, row)) = targets.get(line.target).zip(rows.get(line.row)) else { continue };
        let ends = lines.iter().filter(|other| other.target == line.target);
        let (before, all) = (ends.clone().filter(|other| other.row < line.row).count(), ends.count());
        let (y, to_x) = (row_y(line.row), area.x);
        let to_y = area.y + 6 + (area.height - 12) * (2 * int(before) + 1) / (2 * int(all).max(1));
        let middle = (from_x + to_x) / 2;
        let class = if line.often.is_some() { "flow" } else { "flow none" };
        let path = format!("M{from_x} {y}C{middle} {y} {middle} {to_y} {to_x} {to_y}");
        canvas.broad_path(&format!("{class} {}", row.tier()), line.often.map_or(1, breadth), &path);
    }
}

fn taken(subvolume: &SubvolumeStrategy) -> String {
    subvolume
        .snapshots
        .value
        .as_deref()
        .map_or_else(|| "no snapshots".to_owned(), |c| words::calendar(c).replace('`', ""))
}

/// The boxes of a row.
fn boxes(canvas: &mut Canvas, report: &Report<'_>, paper: Paper, row: &Row<'_>, y: i64) {
    let columns = columns(paper);
    let is_taken = row.first.snapshots.value.is_some();
    let class = if is_taken { "box" } else { "box faint" };
    let area = |(x, width): (i64, i64)| Area { x: x + 1, y, width: width - 2, height: BOX };
    let own = area(columns.subvolumes);
    canvas.begin(&row.names());
    canvas.area(class, own, 6);
    canvas.mark(row.tier(), own.x + 16, y + 15);
    let room = own.width - 40;
    canvas.label(Label::new(Font::Bold, own.x + 30, y + 19, room), &row.name());
    let taken = taken(row.first);
    let below = match (columns.snapshots, row.others.is_empty()) {
        (None, _) => taken.clone(),
        (Some(_), true) => words::rooted(&row.first.path),
        (Some(_), false) => format!("{}: {}", row.tier(), row.names()),
    };
    canvas.label(Label::new(Font::Small, own.x + 30, y + 36, room), &below);
    canvas.end();
    if let (Some(place), true) = (columns.snapshots, is_taken) {
        let own = area(place);
        canvas.area("head", own, 6);
        canvas.label(Label::new(Font::Bold, own.x + 12, y + 19, own.width - 24), &taken);
        canvas.label(Label::new(Font::Small, own.x + 12, y + 36, own.width - 24), &leaves(report, row.first));
    }
}

/// How often it is sent.
fn leaves(report: &Report<'_>, subvolume: &SubvolumeStrategy) -> String {
    let mut times: Vec<&str> = Vec::new();
    for sent in sent(report.strategy, subvolume) {
        let word = sent.calendar.map_or("when asked for", |c| often_or_rarely(report, c).word());
        if !times.contains(&word) {
            times.push(word);
        }
    }
    if times.is_empty() { "not sent".to_owned() } else { format!("sent {}", times.join(", ")) }
}

fn target_box(canvas: &mut Canvas, target: &TargetStrategy, area: Area) {
    canvas.area("head", area, 6);
    let middle = area.x + area.width / 2;
    let label = |font, y| Label::new(font, middle, area.y + y, area.width - 16).anchored(Anchor::Middle);
    let (kind, detail) = words::target_kind(&target.kind);
    let first = if detail.is_some() { 24 } else { 34 };
    canvas.label(label(Font::Bold, first), target.name.as_str());
    canvas.label(label(Font::Small, first + 19), kind);
    if let Some(detail) = detail {
        canvas.label(label(Font::Small, first + 36), &detail);
    }
}
