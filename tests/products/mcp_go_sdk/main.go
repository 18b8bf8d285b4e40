// A client of the MCP SDK for Go that calls the tool of a server.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/url"
	"os"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// Its settings are a file; a URL that it prints after "visit" is answered with the one that the browser came back to.
func main() {
	var settings struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		RedirectURL  string `json:"redirect_url"`
	}
	text, err := os.ReadFile(os.Args[1])
	check(err)
	check(json.Unmarshal(text, &settings))
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		RedirectURL:              settings.RedirectURL,
		AuthorizationCodeFetcher: browse,
		PreregisteredClient: &oauthex.ClientCredentials{
			ClientID:         settings.ClientID,
			ClientSecretAuth: &oauthex.ClientSecretAuth{ClientSecret: settings.ClientSecret},
		},
	})
	check(err)
	ctx := context.Background()
	client := mcp.NewClient(&mcp.Implementation{Name: "site", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: os.Args[2], OAuthHandler: handler}, nil)
	check(err)
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "whoami"})
	check(err)
	fmt.Println("tool:", result.Content[0].(*mcp.TextContent).Text)
}

func browse(_ context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	fmt.Println("visit", args.URL)
	line, _, err := bufio.NewReader(os.Stdin).ReadLine()
	if err != nil {
		return nil, err
	}
	address, err := url.Parse(string(line))
	if err != nil {
		return nil, err
	}
	back := address.Query()
	return &auth.AuthorizationResult{Code: back.Get("code"), State: back.Get("state"), Iss: back.Get("iss")}, nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
