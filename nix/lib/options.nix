# `services.subvault.settings`: an option for every key of the configuration.
#
# What is not said is `null` and is not written, so that the program's own defaults hold. Tables of which there are several
# are sets by name, so that one module can add to what another one says.
{ lib }:
let
  page = import ./page.nix { text = builtins.readFile ../../docs/configuration.md; };
  keys = import ./keys.nix { inherit lib; };

  # A key whose type is the heading of a table is that table.
  typeOf =
    type: if type == "name" then keys.name else if builtins.isString type then table type else type;

  option =
    heading: key: type:
    let
      row = page.${heading}.${key} or (throw "docs/configuration.md has no `${key}` in `${heading}`");
      isRequired = row.default == "must be given";
      inherited = if row.default == "" then "" else "\n\nWhere it is not said: ${row.default}.";
    in
    lib.mkOption (
      if isRequired then
        {
          type = typeOf type;
          description = row.meaning;
        }
      else
        {
          type = lib.types.nullOr (typeOf type);
          default = null;
          description = row.meaning + inherited;
        }
    );

  optionsOf = heading: lib.mapAttrs (option heading) keys.tables.${heading};

  table = heading: lib.types.submodule { options = optionsOf heading; };

  # By name: what it is called is its place in the set, unless it says otherwise.
  several =
    heading:
    lib.types.attrsOf (
      lib.types.submodule (
        { name, ... }:
        {
          options = optionsOf heading // {
            name = lib.mkOption {
              type = keys.name;
              default = name;
              description = page.${heading}.name.meaning;
            };
          };
        }
      )
    );

  one =
    heading:
    lib.mkOption {
      type = table heading;
      default = { };
      description = "The table `${heading}` of the configuration.";
    };

  many =
    heading:
    lib.mkOption {
      type = several heading;
      default = { };
      description = "The tables `${heading}` of the configuration, by their names.";
    };
in
{
  host = one "[host]";
  schedule = one "[schedule]";
  keep = one "[keep]";
  space = one "[space]";
  objectives = one "[objectives]";
  cost = one "[cost]";
  subvolume = many "[[subvolume]]";
  group = many "[[group]]";
  hook = many "[[hook]]";
  target = many "[[target]]";
}
