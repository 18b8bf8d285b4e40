// A client of go-oidc and x/oauth2, and two libraries that an API takes its access tokens with.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/url"
	"os"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwx "github.com/lestrrat-go/jwx/v3/jwt"
	"golang.org/x/oauth2"
)

// Its settings are a file; a URL that it prints after "visit" is answered with the one that the browser came back to.
func main() {
	var settings struct {
		Issuer       string `json:"issuer"`
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		RedirectURL  string `json:"redirect_url"`
	}
	text := must(os.ReadFile(os.Args[1]))
	check(json.Unmarshal(text, &settings))
	ctx := context.Background()
	provider := must(oidc.NewProvider(ctx, settings.Issuer))
	config := oauth2.Config{
		ClientID:     settings.ClientID,
		ClientSecret: settings.ClientSecret,
		Endpoint:     provider.Endpoint(),
		RedirectURL:  settings.RedirectURL,
		Scopes:       []string{oidc.ScopeOpenID, "email", oidc.ScopeOfflineAccess},
	}

	_, err := config.Exchange(ctx, "no code of ours", oauth2.VerifierOption(oauth2.GenerateVerifier()))
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		log.Fatal("a code of nobody's was redeemed")
	}
	say("a wrong code", refused.ErrorCode)

	token := login(ctx, &config)
	raw := token.Extra("id_token").(string)
	idToken := must(provider.Verifier(&oidc.Config{ClientID: settings.ClientID}).Verify(ctx, raw))
	check(idToken.VerifyAccessToken(token.AccessToken))
	say("login", idToken.Subject)
	say("userinfo", must(provider.UserInfo(ctx, oauth2.StaticTokenSource(token))).Email)
	token = must(config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token())

	var keys struct {
		URL string `json:"jwks_uri"`
	}
	check(provider.Claims(&keys))
	issuer, audience := settings.Issuer, settings.Issuer
	known := must(keyfunc.NewDefaultCtx(ctx, []string{keys.URL}))
	checks := []jwt.ParserOption{jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired()}
	say("keyfunc", must(must(jwt.Parse(token.AccessToken, known.Keyfunc, checks...)).Claims.GetSubject()))
	set := must(jwk.Fetch(ctx, keys.URL))
	parsed := must(jwx.ParseString(token.AccessToken, jwx.WithKeySet(set), jwx.WithIssuer(issuer), jwx.WithAudience(audience)))
	subject, _ := parsed.Subject()
	say("jwx", subject)
}

func login(ctx context.Context, config *oauth2.Config) *oauth2.Token {
	verifier := oauth2.GenerateVerifier()
	fmt.Println("visit", config.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier)))
	line, _, err := bufio.NewReader(os.Stdin).ReadLine()
	check(err)
	back := must(url.Parse(string(line))).Query()
	if back.Get("state") != "a state" {
		log.Fatal("an answer to something else")
	}
	return must(config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(verifier)))
}

func say(what, outcome string) {
	fmt.Printf("%s: %s\n", what, outcome)
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
