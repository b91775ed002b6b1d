//! A dashboard for Grafana: all hosts of one Prometheus, and any of them.

mod panels;

use std::path::Path;

use serde_json::{Map, Value, json};
use subvault_model::metrics::RUN_LAST;

use self::panels::{Kind, Panel, Row, rows};
use super::json;
use crate::file::RenderedFile;

/// How many columns a dashboard has.
const COLUMNS: u32 = 24;
/// The version of the format: Grafana 11's. Older ones are read by all that are newer.
const SCHEMA: u32 = 39;

/// The dashboard.
#[must_use]
pub fn render() -> RenderedFile {
    let dashboard = json!({
        "uid": "subvault",
        "title": "subvault",
        "tags": ["subvault", "btrfs", "backup"],
        "schemaVersion": SCHEMA,
        "editable": true,
        "refresh": "1m",
        "time": { "from": "now-7d", "to": "now" },
        "timezone": "browser",
        "templating": { "list": [source(), hosts()] },
        "panels": panels(),
    });
    let path = Path::new("etc/subvault/monitoring/grafana-dashboard.json");
    json::file(path, "grafana", "Import it, or let Grafana provision it.", &json::object(dashboard))
}

fn source() -> Value {
    json!({ "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus" })
}

fn hosts() -> Value {
    let query = format!("label_values({}, host)", RUN_LAST.prometheus());
    json!({
        "name": "host",
        "label": "Host",
        "type": "query",
        "datasource": datasource(),
        "definition": query,
        "query": { "query": query, "refId": "hosts" },
        "refresh": 2,
        "sort": 1,
        "multi": true,
        "includeAll": true,
        "current": { "text": "All", "value": "$__all" }
    })
}

fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// The panels, each row below the one before.
fn panels() -> Vec<Value> {
    let (mut placed, mut top) = (Vec::new(), 0);
    for row in rows() {
        let place = json!({ "x": 0, "y": top, "w": COLUMNS, "h": 1 });
        placed.push(json!({ "type": "row", "title": row.title, "collapsed": false, "gridPos": place, "panels": [] }));
        top += 1;
        let mut left = 0;
        for panel in &row.panels {
            placed.push(drawn(panel, &row, left, top));
            left += panel.width;
        }
        top += row.height;
    }
    for (id, panel) in (1_u32..).zip(&mut placed) {
        panel["id"] = id.into();
    }
    placed
}

fn drawn(panel: &Panel, row: &Row, left: u32, top: u32) -> Value {
    let targets: Vec<Value> =
        panel.queries.iter().zip("ABCDEFGH".chars()).map(|(query, id)| target(panel, query, id)).collect();
    let mut defaults = json!({ "unit": panel.unit, "custom": panel.kind.custom() });
    if let Some(steps) = steps(panel) {
        defaults["thresholds"] = json!({ "mode": "absolute", "steps": steps });
        defaults["color"] = json!({ "mode": "thresholds" });
    }
    let mut drawn = json!({
        "type": panel.kind.word(),
        "title": panel.title,
        "datasource": datasource(),
        "gridPos": { "x": left, "y": top, "w": panel.width, "h": row.height },
        "fieldConfig": { "defaults": defaults, "overrides": panel.overrides() },
        "options": panel.kind.options(),
        "targets": targets
    });
    if panel.kind == Kind::Table {
        drawn["transformations"] =
            json!([{ "id": "merge", "options": {} }, { "id": "organize", "options": panel.organised() }]);
    }
    drawn
}

fn target(panel: &Panel, (expression, legend): &(String, &'static str), id: char) -> Value {
    let instant = panel.kind.is_of_now();
    let mut target = Map::new();
    target.insert("refId".to_owned(), id.to_string().into());
    target.insert("datasource".to_owned(), datasource());
    target.insert("expr".to_owned(), expression.clone().into());
    target.insert("legendFormat".to_owned(), (*legend).into());
    target.insert("instant".to_owned(), instant.into());
    target.insert("range".to_owned(), (!instant).into());
    target.insert("format".to_owned(), if panel.kind == Kind::Table { "table" } else { "time_series" }.into());
    Value::Object(target)
}

/// Green, and what begins to be yellow or red where.
fn steps(panel: &Panel) -> Option<Vec<Value>> {
    let (yellow, red) = panel.limits?;
    let step = |colour: &str, from: Value| json!({ "color": colour, "value": from });
    Some(vec![step("green", Value::Null), step("yellow", json!(yellow)), step("red", json!(red))])
}
