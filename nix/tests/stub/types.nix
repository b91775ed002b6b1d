# Types of options. Each says which values are of it, and what several of them come to.
{ lib }:
let
  inherit (builtins)
    all
    attrNames
    concatLists
    concatMap
    concatStringsSep
    elem
    filter
    head
    isAttrs
    isBool
    isFunction
    isInt
    isList
    isString
    listToAttrs
    map
    match
    ;

  show = concatStringsSep ".";

  wrong = place: name: throw "the option `${show place}` is no ${name}";
  contradiction = place: throw "the option `${show place}` is said to be several things";

  # A value that cannot be put together of several.
  plain = name: check: {
    inherit name check;
    merge =
      place: values:
      if !(all check values) then
        wrong place name
      else if all (value: value == head values) values then
        head values
      else
        contradiction place;
  };

  # One that can, from the values themselves.
  joint = name: check: join: {
    inherit name check;
    merge = place: values: if all check values then join place values else wrong place name;
  };

  # The names in several sets, and what each set says of one.
  named = values: attrNames (builtins.foldl' (one: other: one // other) { } values);
  of = name: values: concatMap (value: if value ? ${name} then [ value.${name} ] else [ ]) values;

  # Whether a definition says anything once conditions are looked at.
  isSaid = value: !(isAttrs value && (value._type or null) == "if" && !value.condition);
in
rec {
  bool = plain "truth value" isBool;
  int = plain "whole number" isInt;
  port = plain "port" (value: isInt value && value >= 0 && value <= 65535);
  ints = {
    positive = plain "number from 1 on" (value: isInt value && value > 0);
    unsigned = plain "number from 0 on" (value: isInt value && value >= 0);
  };
  str = plain "text" isString;
  strMatching =
    pattern: plain "text like ${pattern}" (value: isString value && match pattern value != null);
  enum = words: plain "one of ${concatStringsSep ", " words}" (value: elem value words);
  package = plain "package" (value: isAttrs value && (value.type or null) == "derivation");
  anything = joint "value" (_: true) (
    place: values:
    if all isAttrs values && !(all (value: value ? _type || value ? type) values) then
      (attrsOf anything).merge place values
    else if all isList values then
      concatLists values
    else
      (plain "value" (_: true)).merge place values
  );
  lines = joint "text" isString (_: concatStringsSep "\n");

  listOf =
    inner:
    joint "list" isList (
      place: values:
      map (value: lib.settleValues (place ++ [ "*" ]) inner [ value ]) (concatLists values)
    );

  attrsOf =
    inner:
    joint "set" isAttrs (
      place: values:
      listToAttrs (
        map (name: {
          inherit name;
          value = lib.settleValues (place ++ [ name ]) inner (of name values);
        }) (filter (name: builtins.any isSaid (of name values)) (named values))
      )
    );

  nullOr = inner: {
    name = "${inner.name} or null";
    check = value: value == null || inner.check value;
    merge =
      place: values:
      if all (value: value == null) values then
        null
      else if builtins.any (value: value == null) values then
        contradiction place
      else
        inner.merge place values;
  };

  either = one: other: {
    name = "${one.name} or ${other.name}";
    check = value: one.check value || other.check value;
    merge =
      place: values: if all one.check values then one.merge place values else other.merge place values;
  };

  submodule = module: {
    name = "table";
    check = value: isAttrs value || isFunction value;
    merge =
      place: values:
      (lib.evalModules {
        modules = [ module ] ++ map (value: { config = value; }) values;
        specialArgs.name = lib.last place;
        inherit place;
      }).config;
  };
}
