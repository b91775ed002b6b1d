//! Whatever value is written for Nix, Nix reads the same value.

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use subvault_render::nix::{NotRendered, expression};

use super::evaluate::evaluate;

/// Pieces of which texts are made that mean something to Nix.
fn text() -> impl Strategy<Value = String> {
    let special = prop_oneof![
        Just("${"),
        Just("$${"),
        Just("$"),
        Just("}"),
        Just("''"),
        Just("\""),
        Just("\\"),
        Just("\\n"),
        Just("\n"),
        Just("\r"),
        Just("\r\n"),
        Just("\t"),
        Just("#"),
        Just("/*"),
        Just("rec"),
        Just("ä€😀"),
        Just("\u{7f}\u{1}"),
    ];
    let piece = prop_oneof![
        special.prop_map(str::to_owned),
        "[a-z ]{0,4}",
        proptest::char::any().prop_filter_map("NUL", |c| (c != '\0').then(|| c.to_string()))
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn name() -> impl Strategy<Value = String> {
    // To Nix these say how the set itself is to be printed.
    let words =
        prop_oneof![Just("if"), Just("or"), Just("true"), Just("a-b"), Just("a.b"), Just("1a"), Just(""), Just("_x'")];
    prop_oneof![words.prop_map(str::to_owned), text()]
        .prop_filter("printed", |name| name != "outPath" && name != "__toString")
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        Just(i64::MIN).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((name(), inner), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Many values in one evaluation, for speed.
#[test]
fn every_value_is_read_back() {
    let mut runner = TestRunner::default();
    let values: Vec<Value> = (0..2000).map(|_| value().new_tree(&mut runner).unwrap().current()).collect();
    let all = Value::from(values.clone());
    let read = evaluate(&expression(&all, 0).unwrap()).unwrap();
    for (wanted, found) in values.iter().zip(read.as_array().unwrap()) {
        assert_eq!(found, wanted);
    }
    assert_eq!(read, all);
}

#[test]
fn what_nix_has_not_is_refused() {
    assert!(matches!(expression(&json!(["a\0b"]), 0), Err(NotRendered::Nul(_))));
    assert!(matches!(expression(&json!({ "a\0": 1 }), 0), Err(NotRendered::Nul(_))));
    assert!(matches!(expression(&json!(1.5), 0), Err(NotRendered::Number(_))));
    assert!(matches!(expression(&json!(u64::MAX), 0), Err(NotRendered::Number(_))));
}

#[test]
fn values_are_written_to_be_read() {
    let value = json!({ "a-b": [1, -2], "c d": { "with": true }, "e": [], "f": {}, "g": "${x}\n" });
    let text = "{\n  a-b = [\n    1\n    (-2)\n  ];\n  \"c d\" = {\n    \"with\" = true;\n  };\n  e = [ ];\n  f = { };\n  g = \"\\${x}\\n\";\n}";
    assert_eq!(expression(&value, 0).unwrap(), text);
}
