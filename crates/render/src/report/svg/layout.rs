//! The layout: disks, what is on them, and the subvolumes of each pool. On broad paper from left to right, on narrow paper from
//! top to bottom, each level further in.

use subvault_plan::strategy::tier::Tier;

use super::canvas::{Anchor, Area, Canvas, Label};
use super::label::Font;
use super::{Paper, int, legend};
use crate::report::Report;
use crate::report::tree::{Kind, Node, Tree, tree};

/// The height of a line of text, and what a box has around its lines.
const LINE: i64 = 18;
const PADDING: i64 = 10;
/// Between boxes.
const GAP: i64 = 8;

/// The picture.
pub(super) fn draw(report: &Report<'_>, paper: Paper) -> String {
    let tree = tree(report);
    let mut canvas = Canvas::new(paper.width());
    let mut y = legend::tiers(&mut canvas, (paper.width(), 0), &tiers(&tree.roots)) + GAP;
    for root in &tree.roots {
        y = place(&mut canvas, paper, root, y).bottom + 2 * GAP;
    }
    let title = if tree.is_found { "Layout of the disks" } else { "Proposed layout of the disks" };
    canvas.finish(y - GAP, &format!("layout-{}", paper.word()), title, &shows(&tree))
}

/// The tiers that are there.
fn tiers(roots: &[Node]) -> Vec<Tier> {
    fn has(node: &Node, tier: Tier) -> bool {
        node.tier == Some(tier) || node.children.iter().any(|child| has(child, tier))
    }
    Tier::ALL.into_iter().filter(|tier| roots.iter().any(|root| has(root, *tier))).collect()
}

fn shows(tree: &Tree) -> String {
    fn of(node: &Node) -> String {
        let tier = node.tier.map(|tier| format!(" ({tier})")).unwrap_or_default();
        let children = node.children.iter().map(of).collect::<Vec<_>>().join("; ");
        let children = if children.is_empty() { children } else { format!(", with {children}") };
        format!("{}{tier}: {}{children}", node.name, node.details.join(", "))
    }
    tree.roots.iter().map(of).collect::<Vec<_>>().join(". ")
}

/// Where a box came to be, and how far down it and everything on it reaches.
struct Placed {
    area: Area,
    bottom: i64,
}

/// Draws a node and what is on it, from `y` on.
fn place(canvas: &mut Canvas, paper: Paper, node: &Node, y: i64) -> Placed {
    let own = own_area(paper, node, y);
    let mut below = if paper.is_wide() { y } else { own.y + own.height + GAP };
    let mut children = Vec::new();
    for child in &node.children {
        let placed = place(canvas, paper, child, below);
        below = placed.bottom + GAP;
        children.push((placed.area, child.is_faint));
    }
    let bottom = (own.y + own.height).max(if children.is_empty() { 0 } else { below - GAP });
    // On broad paper a box is beside the middle of what is on it.
    let area = match (children.first(), children.last()) {
        (Some((first, _)), Some((last, _))) if paper.is_wide() => {
            let middle = (first.y + first.height / 2 + last.y + last.height / 2) / 2;
            Area { y: (middle - own.height / 2).max(y), ..own }
        }
        _ => own,
    };
    for (child, is_faint) in children {
        connect(canvas, paper, area, child, is_faint);
    }
    draw_box(canvas, node, area);
    Placed { area, bottom: bottom.max(area.y + area.height) }
}

/// The box of a node at this height.
fn own_area(paper: Paper, node: &Node, y: i64) -> Area {
    let height = (1 + int(node.details.len())) * LINE + PADDING;
    let (x, width) = match (paper, node.kind.depth()) {
        (Paper::Wide, 0) => (0, 225),
        (Paper::Wide, 1) => (255, 225),
        (Paper::Wide, _) => (510, 330),
        (Paper::Narrow, depth) => (depth * 18, 340 - depth * 18),
    };
    // Lines have a breadth, half of which would be outside of the picture.
    Area { x: x + 1, y: y + 1, width: width - 2, height }
}

fn connect(canvas: &mut Canvas, paper: Paper, from: Area, to: Area, is_faint: bool) {
    let class = if is_faint { "rule faint" } else { "rule" };
    let to_y = to.y + to.height / 2;
    let path = if paper.is_wide() {
        let (x, y) = (from.x + from.width, from.y + from.height / 2);
        format!("M{x} {y}H{}V{to_y}H{}", (x + to.x) / 2, to.x)
    } else {
        let (x, y) = (from.x + 8, from.y + from.height);
        format!("M{x} {y}V{to_y}H{}", to.x)
    };
    canvas.path(class, &path);
}

fn draw_box(canvas: &mut Canvas, node: &Node, area: Area) {
    let class = match (node.kind, node.is_faint) {
        (Kind::Subvolume, false) => "box",
        (Kind::Subvolume, true) => "box faint",
        (_, false) => "head",
        (_, true) => "head faint",
    };
    canvas.area(class, area, 6);
    if node.kind == Kind::Subvolume {
        subvolume(canvas, node, area);
        return;
    }
    let room = area.width - 2 * PADDING;
    let mut y = area.y + 20;
    canvas.label(Label::new(Font::Bold, area.x + PADDING, y, room), &node.name);
    for detail in &node.details {
        y += LINE;
        canvas.label(Label::new(Font::Small, area.x + PADDING, y, room), detail);
    }
}

/// The name beside the mark of its tier, the tier in words at the right, and below where it is mounted.
fn subvolume(canvas: &mut Canvas, node: &Node, area: Area) {
    const WORD: i64 = 80;
    let (left, right, y) = (area.x + 30, area.x + area.width - PADDING, area.y + 20);
    if let Some(tier) = node.tier {
        canvas.mark(tier, area.x + 16, area.y + 15);
    }
    let word = node.tier.map_or("no tier", Tier::word);
    canvas.label(Label::new(Font::Bold, left, y, right - WORD - 8 - left), &node.name);
    canvas.label(Label::new(Font::Small, right, y, WORD).anchored(Anchor::End), word);
    for (line, detail) in (1..).zip(&node.details) {
        canvas.label(Label::new(Font::Small, left, y + line * LINE, right - left), detail);
    }
}
