# Runs the tests without nix-unit: a list of those that failed, with what came instead.
{
  lib ? import ./stub,
  tests ? import ./. { inherit lib; },
}:
let
  run =
    place: tests:
    builtins.concatMap (
      name:
      let
        test = tests.${name};
        here = place ++ [ name ];
        got = builtins.tryEval (builtins.deepSeq test.expr test.expr);
        isError = test ? expectedError;
        isGood = if isError then !got.success else got.success && got.value == test.expected;
      in
      if !(lib.hasPrefix "test" name) then
        run here test
      else if isGood then
        [ ]
      else
        [
          {
            test = builtins.concatStringsSep "." here;
            got = if got.success then got.value else "an error";
            expected = if isError then "an error" else test.expected;
          }
        ]
    ) (builtins.attrNames tests);
in
run [ ] tests
