//! What a report says, apart from how it is written down: sections of tables, lists and pictures. The texts in it are as they
//! came; whoever writes them down makes them safe.

use subvault_plan::strategy::tier::Tier;

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The host that it is about.
    pub host: String,
    /// What it is, and from when, in a sentence.
    pub about: Line,
    /// What is wrong: before everything else.
    pub warnings: Vec<Warned>,
    /// What matters most, in a few words each.
    pub summary: Vec<Fact>,
    /// The rest.
    pub sections: Vec<Section>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warned {
    /// What it is about.
    pub about: String,
    /// What is wrong.
    pub what: Line,
    /// What can be done.
    pub remedy: Line,
}

/// A name and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The name.
    pub name: &'static str,
    /// What it is.
    pub value: Line,
}

/// A section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// By which it can be linked to.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What is in it.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Sentences.
    Paragraph(Line),
    /// A table.
    Table(Table),
    /// A list.
    List(Vec<Line>),
    /// A picture, and how it is to be read.
    Picture(Picture, &'static str),
    /// What not everybody wants to read, under a heading.
    Folded(&'static str, Vec<Block>),
    /// The reasons of what was decided.
    Why(Vec<Reason>),
}

/// A picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Picture {
    /// Disks, pools and subvolumes.
    Layout,
    /// How old the snapshots are that are kept.
    Retention,
    /// What is snapshotted and sent, where to and how often.
    Flow,
    /// The space that data and snapshots take, month after month.
    Space,
    /// What that costs, month after month.
    Cost,
}

/// A table. Its first column says what each row is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What is in it.
    pub caption: &'static str,
    /// The heads of its columns.
    pub columns: Vec<Column>,
    /// Its rows, each with a cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its head.
    pub head: Line,
    /// Whether it is of numbers, which end below each other.
    pub is_number: bool,
}

/// A cell: lines below each other.
pub type Cell = Vec<Line>;
/// A stretch of text.
pub type Line = Vec<Span>;

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Words. What is between two backticks is code.
    Text(String),
    /// A name, a path, something to be typed.
    Code(String),
    /// A tier, with its mark.
    Tier(Tier),
}

/// Why something was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// What was to be chosen: `Tier`.
    pub what: &'static str,
    /// What was.
    pub choice: Line,
    /// For whom; nobody in particular if there are none.
    pub names: Vec<String>,
    /// Why, as a clause that can follow "because".
    pub because: String,
}

impl Column {
    /// A column of texts.
    #[must_use]
    pub fn text(head: &str) -> Self {
        Self { head: vec![Span::text(head)], is_number: false }
    }

    /// A column of numbers.
    #[must_use]
    pub fn number(head: impl Into<Line>) -> Self {
        Self { head: head.into(), is_number: true }
    }
}

impl Span {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A name or something to be typed.
    pub fn code(text: &(impl ToString + ?Sized)) -> Self {
        Self::Code(text.to_string())
    }
}
