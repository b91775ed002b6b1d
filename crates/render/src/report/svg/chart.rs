//! Bars of several parts, month after month, with an axis at the left.

use jiff::civil::Date;

use super::canvas::{Anchor, Area, Canvas, Label};
use super::label::{Font, width};
use super::{Paper, int, legend};
use crate::report::words;

/// What is drawn.
pub(super) struct Chart<'a> {
    /// By which its parts are told from those of other pictures.
    pub(super) id: &'static str,
    /// What it is called.
    pub(super) title: &'static str,
    /// What the parts of each bar are called, the lowest first.
    pub(super) parts: Vec<String>,
    /// The bars: until which day, and how much of each part.
    pub(super) bars: Vec<(Date, Vec<u64>)>,
    /// A height that matters, and what it is called.
    pub(super) limit: Option<(u64, String)>,
    /// Between marks on the axis, so that there are not too many up to this height.
    pub(super) step: fn(u64) -> u64,
    /// How an amount is written.
    pub(super) show: &'a dyn Fn(u64) -> String,
}

/// How many patterns there are.
pub(super) const PATTERNS: usize = 6;
/// How broad a bar is at most.
const BAR_MAX: i64 = 90;
/// The height of the axis below the bars.
const BELOW: i64 = 42;

/// Where the bars are, and how high they can be.
struct Plot {
    area: Area,
    top: u64,
    /// Between marks on the axis.
    step: u64,
}

impl Plot {
    fn height(&self, amount: u64) -> i64 {
        let part = u128::from(amount) * u128::from(self.area.height.unsigned_abs()) / u128::from(self.top.max(1));
        i64::try_from(part).unwrap_or(i64::MAX).min(self.area.height)
    }

    fn y(&self, amount: u64) -> i64 {
        self.area.y + self.area.height - self.height(amount)
    }
}

/// The picture.
pub(super) fn draw(paper: Paper, chart: &Chart<'_>) -> String {
    let id = format!("{}-{}", chart.id, paper.word());
    let mut canvas = Canvas::new(paper.width());
    canvas.define(&patterns(&id, chart.parts.len()));
    let mut plot = plot(paper, chart);
    plot.area.y = draw_legend(&mut canvas, paper, chart, &plot, &id) + 14;
    draw_ticks(&mut canvas, chart, &plot);
    draw_bars(&mut canvas, chart, &plot, &id);
    draw_months(&mut canvas, chart, &plot);
    if let Some((limit, _)) = chart.limit.as_ref().filter(|(limit, _)| *limit <= plot.top) {
        let y = plot.y(*limit);
        canvas.path("limit", &format!("M{} {y}H{}", plot.area.x, plot.area.x + plot.area.width));
    }
    canvas.finish(plot.area.y + plot.area.height + BELOW, &id, chart.title, &shows(chart))
}

fn shows(chart: &Chart<'_>) -> String {
    let of = |(at, amounts): &(Date, Vec<u64>)| {
        let parts = chart.parts.iter().zip(amounts).map(|(part, amount)| format!("{part} {}", (chart.show)(*amount)));
        format!("{}: {}", words::day(*at), parts.collect::<Vec<_>>().join(", "))
    };
    let ends = chart.bars.iter().take(1).chain(chart.bars.iter().skip(1).last()).map(of);
    let limit = chart.limit.iter().map(|(_, words)| words.clone());
    ends.chain(limit).collect::<Vec<_>>().join("; ")
}

fn total(bar: &(Date, Vec<u64>)) -> u64 {
    bar.1.iter().fold(0, |all, amount| all.saturating_add(*amount))
}

/// Below the legend, whose height is not known yet.
fn plot(paper: Paper, chart: &Chart<'_>) -> Plot {
    /// A limit that is more than so many times as high would leave nothing to see of the bars.
    const LIMIT_TIMES_MAX: u64 = 4;
    let highest = chart.bars.iter().map(total).max().unwrap_or(0);
    let limit = chart.limit.as_ref().map(|(limit, _)| *limit);
    let limit = limit.filter(|limit| *limit / LIMIT_TIMES_MAX <= highest).unwrap_or(0);
    let highest = highest.max(limit).max(1);
    let step = (chart.step)(highest).max(1);
    let top = highest.div_ceil(step).saturating_mul(step);
    let labels = ticks(step, top).map(|tick| width(Font::Small, &(chart.show)(tick)));
    let left = labels.max().unwrap_or(0) + 10;
    let height = if paper.is_wide() { 260 } else { 200 };
    Plot { area: Area { x: left, y: 0, width: paper.width() - left - 6, height }, top, step }
}

fn ticks(step: u64, top: u64) -> impl Iterator<Item = u64> {
    (0..=top / step).map(move |number| number.saturating_mul(step))
}

fn draw_ticks(canvas: &mut Canvas, chart: &Chart<'_>, plot: &Plot) {
    for tick in ticks(plot.step, plot.top) {
        let y = plot.y(tick);
        let class = if tick == 0 { "rule" } else { "grid" };
        canvas.path(class, &format!("M{} {y}H{}", plot.area.x, plot.area.x + plot.area.width));
        let label = Label::new(Font::Small, plot.area.x - 8, y + 4, plot.area.x).anchored(Anchor::End);
        canvas.label(label, &(chart.show)(tick));
    }
}

/// Where a bar begins and ends.
fn span(plot: &Plot, index: usize, count: usize) -> (i64, i64) {
    let at = |index: usize| plot.area.x + plot.area.width * int(index) / int(count.max(1));
    let (from, to) = (at(index), at(index + 1));
    let gap = ((to - from) / 5).min(12).max(to - from - BAR_MAX);
    (from + gap / 2, (to - gap + gap / 2).max(from + gap / 2 + 1))
}

fn draw_bars(canvas: &mut Canvas, chart: &Chart<'_>, plot: &Plot, id: &str) {
    for (index, bar) in chart.bars.iter().enumerate() {
        let (from, to) = span(plot, index, chart.bars.len());
        let parts = chart.parts.iter().zip(&bar.1).map(|(part, amount)| format!("{part} {}", (chart.show)(*amount)));
        let when = words::day(bar.0);
        canvas.begin(&format!("{when}: {}", parts.collect::<Vec<_>>().join(", ")));
        let mut below = 0_u64;
        for (part, amount) in bar.1.iter().enumerate() {
            let (low, high) = (plot.y(below), plot.y(below.saturating_add(*amount)));
            below = below.saturating_add(*amount);
            let area = Area { x: from, y: high, width: to - from, height: low - high };
            if area.height > 0 {
                canvas.area(&format!("series-{}", part % PATTERNS), area, 0);
                if part % PATTERNS > 0 {
                    canvas.patterned(&format!("{id}-{}", part % PATTERNS), area);
                }
            }
        }
        canvas.end();
    }
}

/// Names of months, as many as there is room for, and years below the first month of each.
fn draw_months(canvas: &mut Canvas, chart: &Chart<'_>, plot: &Plot) {
    const ROOM: i64 = 44;
    let count = chart.bars.len();
    let every =
        [1, 2, 3, 6, 12, 24, 60, 120].into_iter().find(|every| plot.area.width * every / int(count.max(1)) >= ROOM);
    let every = usize::try_from(every.unwrap_or(240)).unwrap_or(1);
    let mut year = None;
    for (index, (at, _)) in chart.bars.iter().enumerate().step_by(every) {
        let (from, to) = span(plot, index, count);
        // At the edges a label would be half outside.
        let x = ((from + to) / 2).clamp(plot.area.x + 14, plot.area.x + plot.area.width - 14);
        let y = plot.area.y + plot.area.height;
        let label = |y| Label::new(Font::Small, x, y, ROOM).anchored(Anchor::Middle);
        canvas.label(label(y + 18), &at.strftime("%b").to_string());
        if year != Some(at.year()) {
            year = Some(at.year());
            canvas.label(label(y + 35), &at.year().to_string());
        }
    }
}

fn draw_legend(canvas: &mut Canvas, paper: Paper, chart: &Chart<'_>, plot: &Plot, id: &str) -> i64 {
    let parts = chart.parts.iter().enumerate().map(|(index, part)| (Some(index % PATTERNS), part.clone()));
    let limit = chart.limit.iter().map(|(limit, words)| {
        let words = if *limit > plot.top { format!("{words}, far above") } else { words.clone() };
        (None, words)
    });
    let items: Vec<(Option<usize>, String)> = parts.chain(limit).collect();
    legend::draw(canvas, (paper.width(), 0), &items, |canvas, item, x, y| match item {
        Some(part) => {
            let area = Area { x: x - 9, y: y - 7, width: 18, height: 14 };
            canvas.area(&format!("series-{part}"), area, 0);
            if *part > 0 {
                canvas.patterned(&format!("{id}-{part}"), area);
            }
        }
        None => canvas.path("limit", &format!("M{} {y}h22", x - 11)),
    })
}

/// Patterns by which the parts of a bar are told apart without their colours; the first is plain.
fn patterns(id: &str, parts: usize) -> String {
    const DRAWN: [&str; PATTERNS - 1] = [
        "<path class=\"hatch\" d=\"M-2 2l4 -4M0 8l8 -8M6 10l4 -4\"/>",
        "<circle class=\"dots\" cx=\"4\" cy=\"4\" r=\"2\"/>",
        "<path class=\"hatch\" d=\"M0 4h8\"/>",
        "<path class=\"hatch\" d=\"M-2 6l4 4M0 0l8 8M6 -2l4 4\"/>",
        "<path class=\"hatch\" d=\"M4 0v8\"/>",
    ];
    let pattern = |(index, drawn): (usize, &&str)| {
        format!(
            "<pattern id=\"{id}-{}\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">{drawn}</pattern>\n",
            index + 1
        )
    };
    let used: String = DRAWN.iter().take(parts.saturating_sub(1)).enumerate().map(pattern).collect();
    if used.is_empty() { used } else { format!("<defs>\n{used}</defs>\n") }
}
