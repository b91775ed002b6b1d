//! A report as one HTML file. It has no scripts, asks for nothing from anywhere, and says so to the browser, which then holds
//! it to that. Each picture is in it twice, for broad screens and paper and for narrow ones; one of them is shown.

mod blocks;
mod spans;

use self::blocks::block;
use self::spans::line;
use super::Report;
use super::document::{Document, Section, Warned};
use super::safe::xml;

const STYLE: &str = include_str!("html/style.css");

/// The file.
pub(super) fn write(report: &Report<'_>, document: &Document) -> String {
    let mut html = head(document);
    html.push_str(&warnings(&document.warnings));
    html.push_str(&summary(document));
    for section in &document.sections {
        html.push_str(&section_of(report, section));
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

fn head(document: &Document) -> String {
    let host = xml(&document.host);
    let mut links = String::from("<li><a href=\"#warnings\">Warnings</a></li>");
    for section in &document.sections {
        links.push_str(&format!("<li><a href=\"#{}\">{}</a></li>", section.id, xml(section.title)));
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>Strategy for {host}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">To the content</a>\n<header>\n<p class=\"kicker\">subvault plan</p>\n\
         <h1>Strategy for <bdi>{host}</bdi></h1>\n<p class=\"about\">{}</p>\n\
         <nav aria-label=\"Sections\"><ul>{links}</ul></nav>\n</header>\n<main id=\"main\">\n",
        line(&document.about)
    )
}

fn warnings(warnings: &[Warned]) -> String {
    if warnings.is_empty() {
        return "<section id=\"warnings\" class=\"calm\">\n<h2>No warnings</h2>\n\
                <p>Nothing is wrong with this strategy as far as can be seen.</p>\n</section>\n"
            .to_owned();
    }
    let mut html = format!("<section id=\"warnings\" class=\"warned\">\n<h2>Warnings: {}</h2>\n<ul>\n", warnings.len());
    for warned in warnings {
        let (about, what, remedy) = (xml(&warned.about), line(&warned.what), line(&warned.remedy));
        html.push_str(&format!(
            "<li><p><strong><bdi>{about}</bdi></strong>: {what}.</p><p class=\"remedy\">What to do: {remedy}.</p></li>\n"
        ));
    }
    html.push_str("</ul>\n</section>\n");
    html
}

fn summary(document: &Document) -> String {
    let mut html = String::from("<section aria-label=\"At a glance\">\n<dl class=\"glance\">\n");
    for fact in &document.summary {
        html.push_str(&format!("<div><dt>{}</dt><dd>{}</dd></div>\n", xml(fact.name), line(&fact.value)));
    }
    html.push_str("</dl>\n</section>\n");
    html
}

fn section_of(report: &Report<'_>, section: &Section) -> String {
    let mut html = format!("<section id=\"{}\">\n<h2>{}</h2>\n", section.id, xml(section.title));
    for one in &section.blocks {
        html.push_str(&block(report, one));
    }
    html.push_str("</section>\n");
    html
}
