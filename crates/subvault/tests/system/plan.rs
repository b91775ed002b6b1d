//! The strategy for a real pool: decided, explained, lived through, and followed by runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::world::{World, names, noise, proved, subvault, text, tool};

fn with_profile(world: &World, profile: &str) {
    let config = fs::read_to_string(world.config()).unwrap();
    let config = config.replacen("[host]\n", &format!("[host]\nprofile = \"{profile}\"\ntime_zone = \"UTC\"\n"), 1);
    fs::write(world.config(), config).unwrap();
}

#[test]
fn a_plan_is_explained_and_runs_follow_it() {
    let world = World::new(128);
    world.configure(&world.directory_target("disk", "encryption = \"off\""));
    with_profile(&world, "staging-vps");
    let plan = world.run(&["plan", "--json"]).expect(0).json();
    assert_eq!(plan["profile"]["value"], "staging-vps");
    let subvolumes = plan["subvolumes"].as_array().unwrap();
    let home = subvolumes.iter().find(|subvolume| subvolume["name"] == "home").unwrap();
    assert_eq!((&home["workload"]["value"], &home["tier"]["value"]), (&"user".into(), &"critical".into()));
    assert_eq!(home["snapshots"]["value"], "00/4:00");
    world.run(&["plan"]).expect(0).says(&["staging-vps", "home", "critical", "4 hours", "the newest 3"]);
    world.run(&["plan", "--why", "home.snapshots"]).expect(0).says(&["every 4 hours suffices to lose 4 hours at most"]);
    world.run(&["plan", "--why", text(&world.home())]).expect(0).says(&["critical", "people's files"]);
    world.run(&["plan", "--why", "nobody"]).expect(1).says(&["nothing in the strategy is called `nobody`", "home"]);
    // Sizes are known once there is something.
    fs::write(world.home().join("data"), noise(4 << 20, 1)).unwrap();
    tool(&["btrfs", "filesystem", "sync", text(&world.home())]);
    let page = world.run(&["plan", "--format", "html"]).expect(0).out;
    for picture in ["layout", "flow", "retention", "space"] {
        assert!(page.contains(&format!("id=\"{picture}-wide-title\"")), "{picture}");
    }
    let lived = world.run(&["simulate", "--months", "2", "--json"]).expect(0).json();
    assert_eq!(lived["months"].as_array().unwrap().len(), 2);
    world.run(&["simulate", "--away", "nobody 3 weeks"]).expect(1).says(&["there is no target `nobody`"]);
    world.run(&["simulate", "--off", "noon"]).expect(1).says(&["23:00-07:00"]);
    // A run says when the next snapshot is due: as planned, at one of the four hours.
    let ran = world.run(&["run", "--json"]).expect(0).json();
    let next = ran["next"].as_array().unwrap().iter().find(|next| next["what"]["snapshot"].is_array()).unwrap();
    let at: jiff::Timestamp = next["at"].as_str().unwrap().parse().unwrap();
    assert_eq!(at.as_second() % (4 * 60 * 60), 0, "{next}");
    proved("a plan of a real pool: explained choice by choice, lived through for months, and followed by `run`");
}

#[test]
fn objectives_are_solved_and_what_stands_in_the_way_is_named() {
    let world = World::new(128);
    fs::write(world.home().join("photos"), noise(16 << 20, 7)).unwrap();
    tool(&["sync", "-f", text(&world.home())]);
    let bucket = "[[target]]\nname = \"cold\"\nencryption = \"off\"\n[target.s3]\nprovider = \"backblaze-b2\"\n\
                  bucket = \"b\"\nregion = \"r\"\n";
    world.configure(&format!("{bucket}[objectives]\nlose_at_most = \"4h\"\nback_within = \"1 day\"\nbudget = 8\n"));
    with_profile(&world, "laptop");
    let plan = world.run(&["plan", "--json"]).expect(0).json();
    assert_eq!(plan["objectives"]["answer"]["answer"], "met", "{}", plan["objectives"]);
    let home = plan["subvolumes"].as_array().unwrap().iter().find(|subvolume| subvolume["name"] == "home").unwrap();
    assert_eq!((&home["snapshots"]["value"], &home["sends"]["value"]), (&"hourly".into(), &"00/4:00".into()));
    world.run(&["plan"]).expect(0).says(&[
        "lose at most 4 hours",
        "this is the cheapest that does it",
        "everything back after",
    ]);
    world.run(&["plan", "--why", "home.sends"]).expect(0).says(&["[objectives] say how much may be lost"]);

    let of_size = ["cost", "--size", "700 GiB", "--change", "512 MiB"];
    let told = world.run(&of_size).expect(0);
    told.says(&["Backblaze B2", "more than all", "What would fit: keep_generations = 1 in place of 2", "wasabi"]);
    let costs = world.run(&[&of_size[..], &["--json", "--budget", "1 USD/month"]].concat()).expect(0).json();
    let proposal = &costs["targets"][0]["costs"]["proposal"];
    assert_eq!(proposal["answer"], "nothing_fits", "{proposal}");
    let offers = costs["offers"].as_array().unwrap();
    let averages: Vec<f64> =
        offers.iter().map(|offer| offer["usual"]["average"].as_str().unwrap().parse().unwrap()).collect();
    assert!(averages.len() > 5 && averages.is_sorted(), "{averages:?}");

    // What cannot be had is said with what can, and the plan is made all the same.
    world.configure(&format!("{bucket}[objectives]\nlose_at_most = \"1 minute\"\n"));
    world.run(&["plan"]).expect(0).says(&["nothing is sent more often", "say `lose_at_most = \"60m\"`"]);
    world.configure(&format!("{bucket}[cost.prices.azure]\negress = 1\n"));
    world.run(&["plan"]).expect(1).says(&["there is no provider `azure`", "docs/costs.md"]);
    proved(
        "objectives: solved for a real pool, told where they cannot be had; costs of buckets, proposals and comparisons",
    );
}

/// An example of a configuration with the report of such a machine.
#[test]
fn a_plan_is_a_page_in_a_file() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let config = crates.join("../examples/production-vps.toml");
    let facter = crates.join("host/tests/main/facter/production-vps.json");
    let plan = |more: &[&str]| subvault(&config, &[&["plan", "--facter", text(&facter)], more].concat());
    let dir = tempfile::tempdir().unwrap();
    let (page, link) = (dir.path().join("plan.html"), dir.path().join("link"));
    let wrote = plan(&["--output", text(&page)]).expect(0).says(&["wrote", "plan.html"]);
    assert_eq!(wrote.out, "");
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n") && html.contains("<svg"), "{html}");
    let json = plan(&["--json"]).expect(0);
    let strategy = json.json();
    for name in ["subvolumes", "targets"].iter().flat_map(|all| strategy[all].as_array().unwrap()) {
        assert!(html.contains(&format!("<code>{}</code>", name["name"].as_str().unwrap())), "{name}");
    }
    // What a link leads to is replaced, and nothing else is left there.
    symlink("plan.html", &link).unwrap();
    plan(&["--format", "json", "--output", text(&link)]).expect(0);
    assert_eq!(fs::read_to_string(&page).unwrap(), json.out);
    assert_eq!(names(dir.path()), ["link", "plan.html"]);
    let markdown = plan(&["--format", "markdown"]).expect(0).out;
    assert!(markdown.starts_with("# Strategy for ") && markdown.contains("```mermaid\n"), "{markdown}");
    assert_eq!(plan(&["--format", "terminal"]).expect(0).out, plan(&[]).expect(0).out);
    plan(&["--output", "plan.pdf"]).expect(1).says(&["tells no format", "--format html"]);
    plan(&["--json", "--format", "html"]).expect(1).says(&["leave one of them out"]);
    plan(&["--format", "html", "--output", text(dir.path())]).expect(1).says(&["is no file"]);
    plan(&["--output", text(&dir.path().join("none/plan.html"))]).expect(3).says(&["No such file or directory"]);
    proved("a plan as a page with pictures, for an example and the report of its machine, put in place as a whole");
}
