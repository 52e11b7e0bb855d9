//! What the README says is shown by a test is shown by one of that name.

use std::fs;
use std::path::Path;

const README: &str = include_str!("../../README.md");
/// The table of 45 CFR 164.312 begins here.
const HEADING: &str = "### 45 CFR 164.312, line by line";

/// The source of every test of the workspace.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// Whether there is a function of that name with an attribute that makes it a test.
fn is_a_test(source: &str, name: &str) -> bool {
    let fns = [
        format!("\nfn {name}("),
        format!("\nasync fn {name}("),
        format!("\n    fn {name}("),
        format!("\n        fn {name}("),
    ];
    fns.iter().any(|start| {
        source.match_indices(start.as_str()).any(|(at, _)| {
            let before = source[..at].rsplit("\n\n").next().unwrap_or_default();
            before.contains("#[test]") || before.contains("#[tokio::test")
        })
    })
}

#[test]
fn every_line_of_the_security_rule_names_tests_that_are_there() {
    let mut source = String::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["tests", "../hub-appliance/src"] {
        sources(&root.join(folder), &mut source);
    }
    let section = README.split(HEADING).nth(1).unwrap().split("\n#").next().unwrap();
    let mut lines = 0;
    for row in section.lines().filter(|line| line.starts_with("| (")) {
        let cells: Vec<&str> = row.split('|').collect();
        let names: Vec<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test: {row}");
        for name in names {
            assert!(is_a_test(&source, name), "there is no test {name}");
        }
        lines += 1;
    }
    assert_eq!(lines, 12, "the lines of 45 CFR 164.312");
    assert!(!is_a_test(&source, "sources") && !is_a_test(&source, "no_such_test"));
}
